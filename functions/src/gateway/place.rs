//! Which providers a search concerns.

use beckn_health_platform::registry::Place;
use beckn_health_protocol::context::Context;

/// What providers are looked up by: only the context, never the message.
pub(super) fn place(context: &Context) -> Place {
    let location = context.location.as_ref();
    Place {
        domain: context.domain.clone(),
        country: location.and_then(|location| location.country.as_ref()).and_then(|country| country.code.clone()),
        city: location.and_then(|location| location.city.as_ref()).and_then(|city| city.code.clone()),
    }
}
