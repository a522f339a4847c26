//! Which providers a search concerns.

use beckn_health_platform::deps::Deps;
use beckn_health_platform::registry::{Peer, Place, RegistryError};
use beckn_health_protocol::context::Context;

/// The providers of the context's domain and place; of them the one alone that the context names, if it names one.
pub(super) async fn providers(deps: &Deps, context: &Context) -> Result<Vec<Peer>, RegistryError> {
    let mut providers = deps.registry.providers(place(context)).await?;
    if let Some(named) = &context.bpp_id {
        providers.retain(|peer| peer.subscriber_id == *named);
    }
    Ok(providers)
}

/// What providers are looked up by: only the context, never the message.
fn place(context: &Context) -> Place {
    let location = context.location.as_ref();
    Place {
        domain: context.domain.clone(),
        country: location.and_then(|location| location.country.as_ref()).and_then(|country| country.code.clone()),
        city: location.and_then(|location| location.city.as_ref()).and_then(|city| city.code.clone()),
    }
}
