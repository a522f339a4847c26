//! `POST /lookup`: what is asked of a registry.

use serde::de::Error as _;
use serde::{Deserialize, Deserializer, Serialize};
use serde_json::Value;

use crate::fault::Fault;
use crate::ids::{KeyId, SubscriberId};
use crate::json;
use crate::model::{City, Country};

use super::{SubscriberType, Subscription};

/// What a lookup asks for: any combination, each part narrowing the answer.
#[derive(Debug, Clone, PartialEq, Eq, Default, Serialize)]
pub struct LookupRequest {
    /// The participant.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub subscriber_id: Option<SubscriberId>,
    /// The key.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub key_id: Option<KeyId>,
    /// The role.
    #[serde(rename = "type", skip_serializing_if = "Option::is_none")]
    pub r#type: Option<SubscriberType>,
    /// The domain.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub domain: Option<String>,
    /// The country code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub country: Option<String>,
    /// The city code.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub city: Option<String>,
}

impl LookupRequest {
    /// Reads a lookup in any of the known forms of a subscription; what it does not name is not asked for.
    ///
    /// # Errors
    /// [`Fault`] when the body is no object, or with the path of the first field that cannot be read.
    pub fn parse(body: &[u8]) -> Result<Self, Fault> {
        Subscription::from_value(Value::Object(json::parse_object(body)?)).map(Self::from)
    }

    /// Whether an entry is one asked for. A domain or place the entry does not give matches all.
    #[must_use]
    pub fn matches(&self, entry: &Subscription) -> bool {
        fn same<T: PartialEq>(asked: Option<&T>, given: Option<&T>) -> bool {
            asked.is_none() || asked == given
        }
        fn same_or_all(asked: Option<&str>, given: Option<&str>) -> bool {
            match (asked, given) {
                (Some(asked), Some(given)) => given == "*" || asked == given,
                _ => true,
            }
        }
        let location = entry.location.as_ref();
        let country = location.and_then(|place| place.country.as_ref()).and_then(|country| country.code.as_deref());
        let city = location.and_then(|place| place.city.as_ref()).and_then(|city| city.code.as_deref());
        same(self.subscriber_id.as_ref(), entry.subscriber_id.as_ref())
            && same(self.key_id.as_ref(), entry.key_id.as_ref())
            && same(self.r#type.as_ref(), entry.r#type.as_ref())
            && same_or_all(self.domain.as_deref(), entry.domain.as_deref())
            && same_or_all(self.country.as_deref(), country)
            && same_or_all(self.city.as_deref(), city)
    }
}

impl From<Subscription> for LookupRequest {
    fn from(entry: Subscription) -> Self {
        let location = entry.location.unwrap_or_default();
        Self {
            subscriber_id: entry.subscriber_id,
            key_id: entry.key_id,
            r#type: entry.r#type,
            domain: entry.domain,
            country: location.country.and_then(|Country { code, .. }| code),
            city: location.city.and_then(|City { code, .. }| code),
        }
    }
}

impl<'de> Deserialize<'de> for LookupRequest {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Subscription::from_value(Value::deserialize(deserializer)?).map(Self::from).map_err(D::Error::custom)
    }
}
