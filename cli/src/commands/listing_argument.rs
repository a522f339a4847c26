//! The arguments that say how a registry lists a participant.

use beckn_health_protocol::model::{City, Country, Location};
use beckn_health_protocol::registry::Subscription;
use clap::Args;
use jiff::Timestamp;

use super::base_url::base_url;
use super::now;
use crate::failure::Failure;

/// Where a participant is reached, what it serves, and for how long.
#[derive(Debug, Clone, Args)]
pub struct ListingArgument {
    /// Base URL at which the participant takes messages
    #[arg(long, value_parser = base_url)]
    pub url: String,
    /// The one domain it serves, such as dhp:0.7.3; all when absent
    #[arg(long)]
    domain: Option<String>,
    /// The one city it serves, such as std:080; all when absent
    #[arg(long)]
    city: Option<String>,
    /// The one country it serves, such as IND; all when absent
    #[arg(long)]
    country: Option<String>,
    /// Until when the key holds, RFC 3339; without end when absent
    #[arg(long)]
    valid_until: Option<Timestamp>,
}

impl ListingArgument {
    /// The row, but for who it is, its type and its keys.
    ///
    /// # Errors
    /// It would be over already.
    pub fn row(&self) -> Result<Subscription, Failure> {
        if self.valid_until.is_some_and(|until| until <= now()) {
            return Err(Failure("--valid-until: expected an instant that is still to come".to_owned()));
        }
        let location = (self.city.is_some() || self.country.is_some()).then(|| Location {
            city: self.city.clone().map(|code| City { code: Some(code), ..City::default() }),
            country: self.country.clone().map(|code| Country { code: Some(code), ..Country::default() }),
            ..Location::default()
        });
        Ok(Subscription {
            url: Some(self.url.clone()),
            domain: self.domain.clone(),
            location,
            valid_until: self.valid_until,
            ..Subscription::default()
        })
    }
}
