//! `beckn-health join`: a participant gets into a registry.

use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::sync::Arc;

use beckn_health_platform::clock::SystemClock;
use beckn_health_protocol::registry::{SubscriberType, Subscription};
use clap::{Args, ValueEnum};
use jiff::SignedDuration;
use reqwest::Url;
use serde_json::{Value, json};

use super::base_url::base_url;
use super::key_argument::KeyArgument;
use super::length_of_time::length_of_time;
use super::listing_argument::ListingArgument;
use super::{say, say_json};
use crate::failure::Failure;
use crate::operator::answering::{Answering, Heard};
use crate::operator::joining::{Join as Joining, JoinError, Step};
use crate::operator::registry_client::{Asker, RegistryClient, knock};

/// Subscribe a participant.
#[derive(Args)]
pub struct Join {
    /// Base URL of the registry
    #[arg(long, value_name = "URL", value_parser = base_url)]
    registry: String,
    #[command(flatten)]
    key: KeyArgument,
    #[command(flatten)]
    listing: ListingArgument,
    /// What the participant is
    #[arg(long, ignore_case = true)]
    r#type: ParticipantType,
    /// Answer the challenge here, at this address and port, for as long as this runs
    #[arg(long, value_name = "ADDR")]
    listen: Option<SocketAddr>,
    /// Never answer the challenge here
    #[arg(long, conflicts_with = "listen")]
    no_answer: bool,
    /// How long the registry may take to decide
    #[arg(long, default_value = "2m", value_parser = length_of_time)]
    timeout: SignedDuration,
    /// Print JSON, once it is decided
    #[arg(long)]
    json: bool,
}

/// What a participant can be.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
#[value(rename_all = "UPPER")]
pub enum ParticipantType {
    /// The consumer app's platform
    Bap,
    /// The provider's platform
    Bpp,
    /// A gateway
    Bg,
}

impl From<ParticipantType> for SubscriberType {
    fn from(name: ParticipantType) -> Self {
        match name {
            ParticipantType::Bap => Self::Bap,
            ParticipantType::Bpp => Self::Bpp,
            ParticipantType::Bg => Self::Bg,
        }
    }
}

/// What is told while it goes on, or kept for the JSON.
struct Telling {
    json: bool,
    steps: Vec<Value>,
}

impl Telling {
    fn tell(&mut self, step: &str, text: String) {
        if !self.json {
            say(&text);
        }
        self.steps.push(json!({ "step": step, "text": text }));
    }
}

impl Join {
    /// Runs the command.
    ///
    /// # Errors
    /// The participant was not listed; the sentence has the registry's reason.
    pub async fn run(self) -> Result<(), Failure> {
        let row = Subscription { r#type: Some(self.r#type.into()), ..self.listing.row()? };
        let url = self.listing.url;
        let asker = self.key.reach().await?.asker;
        let registry = RegistryClient::new(&self.registry)?;
        let mut telling = Telling { json: self.json, steps: Vec::new() };
        let mut answering = answering(self.listen, self.no_answer, &url, &asker, &registry, &mut telling).await?;
        let joining = Joining { asker: &asker, registry: &registry, row, clock: &SystemClock, timeout: self.timeout };
        let mut found = None;
        let tell = |step: Step| {
            if let Step::Found(is_found) = step {
                found = Some(is_found);
            }
            let (name, text) = sentence(&step, &asker);
            telling.tell(name, text);
        };
        let joined = joining.join(answering.as_mut(), tell, async |time| tokio::time::sleep(time).await).await;
        if let Some(answering) = answering {
            answering.stop().await;
        }
        if self.json {
            let (status, reason) = match &joined {
                Ok(()) => (Some("SUBSCRIBED".to_owned()), None),
                Err(JoinError::LeftOut { status, reason }) => (Some(status.to_string()), Some(reason.clone())),
                Err(JoinError::Undecided { status, .. }) => (Some(status.to_string()), None),
                Err(JoinError::Refused { reason, .. }) => (None, Some(reason.clone())),
                Err(other) => (None, Some(other.to_string())),
            };
            say_json(&json!({
                "subscriber_id": asker.subscriber_id,
                "key_id": asker.ring.active().key_id,
                "url": url,
                "registry": self.registry,
                "status": status,
                "reason": reason,
                "found": found,
                "steps": telling.steps,
            }));
        }
        joined.map_err(Failure::from)
    }
}

/// Where the challenge is answered by us: where we are told to, or where nobody answers and we can.
async fn answering(
    listen: Option<SocketAddr>,
    never: bool,
    url: &str,
    asker: &Asker,
    registry: &RegistryClient,
    telling: &mut Telling,
) -> Result<Option<Answering>, Failure> {
    if never {
        return Ok(None);
    }
    let listen = match listen {
        Some(listen) => listen,
        None => match knock(url).await {
            Ok(told) => {
                let text = format!(
                    "{url}/on_subscribe answers (status {}): the challenge is left to the participant there",
                    told.status
                );
                telling.tell("participant", text);
                return Ok(None);
            }
            Err(_) => match own_address(url) {
                Some(listen) => listen,
                None => {
                    let text = format!(
                        "nothing answers at {url}/on_subscribe as seen from here; --listen ADDR answers the challenge \
                         at an address that {url} leads to"
                    );
                    telling.tell("participant", text);
                    return Ok(None);
                }
            },
        },
    };
    let path = Url::parse(&format!("{url}/on_subscribe")).map(|url| url.path().to_owned())?;
    let answering = Answering::at(listen, path.clone(), asker.clone(), registry.clone(), Arc::new(SystemClock));
    let answering = answering.await.map_err(|error| {
        Failure(format!("cannot listen on {listen} for the challenge: {error}; choose another address with --listen"))
    })?;
    telling.tell("participant", format!("the challenge is answered here: POST {path} at {}", answering.address()));
    Ok(Some(answering))
}

/// The address of a URL that is plain http on this machine.
fn own_address(url: &str) -> Option<SocketAddr> {
    let url = Url::parse(url).ok().filter(|url| url.scheme() == "http")?;
    let host = match url.host_str()? {
        "localhost" => IpAddr::V4(Ipv4Addr::LOCALHOST),
        host => host.trim_start_matches('[').trim_end_matches(']').parse().ok()?,
    };
    host.is_loopback().then(|| SocketAddr::new(host, url.port_or_known_default().unwrap_or(80)))
}

/// The name of a step and what is told of it.
fn sentence(step: &Step, asker: &Asker) -> (&'static str, String) {
    match step {
        Step::RegistryKeys(registry, key_id) => {
            ("registry keys", format!("{registry} is the registry, and signs with {key_id}"))
        }
        Step::Accepted(status) => {
            ("accepted", format!("the registry accepts the request of {}: {status}", asker.subscriber_id))
        }
        Step::AskedAgain(reason) => (
            "asked again",
            format!("the same request came to nothing before: {reason}; the challenge is asked for again"),
        ),
        Step::Heard(Heard::Challenge(_)) => ("challenge", "the registry's challenge came and is answered".to_owned()),
        Step::Heard(Heard::Announcement(status, reason)) => {
            let reason = reason.as_ref().map(|reason| format!(": {reason}")).unwrap_or_default();
            ("announcement", format!("the registry announces {status}{reason}"))
        }
        Step::Heard(Heard::Refused(reason)) => ("refused", format!("a request to on_subscribe was refused: {reason}")),
        Step::Waiting(status) => ("waiting", format!("still {status}")),
        Step::Subscribed => ("subscribed", format!("SUBSCRIBED with the key {}", asker.ring.active().key_id)),
        Step::Found(true) => ("found", "others find it by a lookup".to_owned()),
        Step::Found(false) => {
            ("found", "a lookup does not find it yet; look later with `beckn-health doctor`".to_owned())
        }
    }
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;

    #[test]
    fn only_plain_http_of_this_machine_is_answered_unasked() {
        let address = |url: &str| own_address(url).map(|address| address.to_string());
        assert_eq!(address("http://127.0.0.1:9000/beckn").as_deref(), Some("127.0.0.1:9000"));
        assert_eq!(address("http://localhost:9000").as_deref(), Some("127.0.0.1:9000"));
        assert_eq!(address("http://[::1]:9000").as_deref(), Some("[::1]:9000"));
        for url in ["https://127.0.0.1:9000", "http://192.168.1.5:9000", "http://bap.example"] {
            assert_eq!(address(url), None, "{url}");
        }
    }
}
