//! The network in which samples are played: our own four participants and the sample ones.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use beckn_health::commands::events::{SAMPLE_SEED, signed};
use beckn_health::commands::shipped_catalogue;
use beckn_health::network::identity::Role;
use beckn_health::network::{Config, Network};
use beckn_health_platform::caller::{Caller, Subject};
use beckn_health_platform::clock::ManualClock;
use beckn_health_platform::function::Trigger;
use beckn_health_platform::lambda::invoke;
use beckn_health_platform::participant::keys::KeyStore as _;
use beckn_health_platform::participant::ring::RingKey;
use beckn_health_platform::store::participants::{Entry, Participants, Request, Standing};
use beckn_health_platform::store::slots::Slots;
use beckn_health_platform::store::transactions::{Sent, Transactions};
use beckn_health_protocol::action::Callback;
use beckn_health_protocol::challenge::EncryptionKey;
use beckn_health_protocol::dialect::Reading;
use beckn_health_protocol::ids::{KeyId, MessageId, SubscriberId, TransactionId};
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use beckn_health_protocol::signature::SigningKey;
use beckn_health_tests::stranger::Stranger;
use jiff::{SignedDuration, Timestamp};
use serde_json::{Value, json};

use crate::answers::{check_batch, check_challenge, check_lapse, check_response};
use crate::sample::Sample;

/// How long before the samples somebody held a slot and did not confirm it; a hold lasts ten minutes.
const HELD_BEFORE: SignedDuration = SignedDuration::from_mins(15);
/// Its transaction, from which the id of the order in `bpp-expire/lapsed` follows.
const HELD_IN: &str = "6c0ef6a1-5d36-4b0c-9a7d-0b8c3d5f1e42";

/// Whom the tokens in the events of the client API are about, all but one.
const SAMPLE_CALLER: &str = "sample-caller";

/// A network at an instant, and what it sends to the sample participants.
pub(crate) struct Scene {
    network: Network,
    ears: Vec<Stranger>,
}

/// In the order of the constants, which is that of the journey, with the end of an order at the end, and
/// what deletes lapsed holds after what follows from it, so that this does follow from the sample;
/// in a function what is answered before what is refused, since that may be about what was answered.
pub(crate) fn in_order(mut samples: Vec<Sample>) -> Vec<Sample> {
    let names: Vec<&str> = beckn_health_functions::all().map(|function| function.name).collect();
    samples.sort_by_key(|sample| {
        let name = sample.function.name;
        let place = names.iter().position(|known| *known == name).unwrap();
        (
            name.ends_with("-cancel") || name == "bpp-tick",
            place,
            sample.case.starts_with("refused"),
            sample.case.clone(),
        )
    });
    samples
}

impl Scene {
    pub(crate) async fn set(samples: &[Sample], at: Timestamp) -> Self {
        let before = at - HELD_BEFORE;
        let clock = Arc::new(ManualClock::at(before));
        let network = Network::start(Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: None,
            catalogue: Some(shipped_catalogue().unwrap_or_else(|failure| panic!("{failure:?}"))),
            clock: clock.clone(),
            reading: Reading::Compat,
            callers: None,
        })
        .await
        .unwrap();
        let participants = Participants::new(network.role(Role::Registry).tables.clone());
        let mut ears = Vec::new();
        for (name, path, role) in [
            ("sample-bap.example", "bap", SubscriberType::Bap),
            ("sample-bpp.example", "bpp", SubscriberType::Bpp),
            ("sample-gateway.example", "gateway", SubscriberType::Bg),
        ] {
            participants.put(&row(name, path, role.clone(), before)).await.unwrap();
            // A second row of the same participant, which the registry lists first: what is sent to it
            // arrives here. The key of the samples, and the host it is registered for, stay as they are.
            let peer = network.role(Role::Bpp).participant.subscriber_id.to_string();
            let ear = Stranger::somewhere(&network.base_url(), &peer, clock.clone(), name, role).await;
            participants.put(&ear.row()).await.unwrap();
            ears.push(ear);
        }
        for role in Role::ALL {
            let kept = network.keys(role);
            let sample = RingKey::generate(KeyId::parse("sample-key-1").unwrap(), SAMPLE_SEED, SAMPLE_SEED);
            let ring = kept.ring().unwrap().with(sample.clone());
            // The registry signs the samples; the others have the key beside their own.
            let ring = if role == Role::Registry { ring.activate(&sample.key_id).unwrap() } else { ring };
            kept.write(&ring).await.unwrap();
        }
        ask_for_a_second_key(&participants, &ears, before).await;
        let scene = Self { network, ears };
        scene.hold(samples, before).await;
        clock.set(at);
        assert!(scene.lapsed(at).await > 0, "no hold has lapsed at {at}");
        scene.ask_what_is_answered(samples, at).await;
        scene
    }

    /// Holds a slot of a practitioner whom no sample names, as the sample of a hold would.
    async fn hold(&self, samples: &[Sample], at: Timestamp) {
        let sample = samples.iter().find(|sample| sample.name() == "bpp-on-init/hold").expect("the sample of a hold");
        let mut message = sample.message();
        message["context"]["transaction_id"] = json!(HELD_IN);
        message["context"]["message_id"] = json!("3b1d6e52-7c80-4f0e-9a64-1d2c5b8e7f90");
        message["message"]["order"]["provider"]["id"] = json!("nvp-f0001");
        message["message"]["order"]["items"] = json!([{ "id": "nvp-p00001-opd" }]);
        let mut event = sample.event.clone();
        event["Records"][0]["body"] = json!(message.to_string());
        let dated =
            signed(&sample.path, event.to_string().as_bytes(), at).unwrap_or_else(|failure| panic!("{failure:?}"));
        let event = serde_json::from_slice(&dated).unwrap();
        let answer = invoke(&sample.function, self.network.role(Role::Bpp).clone(), event).await.unwrap();
        assert_eq!(answer["batchItemFailures"], json!([]), "the hold before the samples");
    }

    /// How many lapsed holds are still in the table.
    async fn lapsed(&self, now: Timestamp) -> usize {
        Slots::new(self.network.role(Role::Bpp).tables.clone()).due(now).await.unwrap().len()
    }

    /// A callback is believed only by who asked: records the questions that the sample callbacks answer.
    async fn ask_what_is_answered(&self, samples: &[Sample], at: Timestamp) {
        let transactions = Transactions::new(self.network.role(Role::Bap).tables.clone());
        let asker = Caller { subject: Subject::parse(SAMPLE_CALLER).unwrap() };
        for sample in samples.iter().filter(|sample| sample.case != "refused-unknown-transaction") {
            let message = sample.message();
            let context = |name: &str| message["context"][name].as_str().unwrap_or_default();
            let (Ok(callback), true) =
                (context("action").parse::<Callback>(), sample.function.name.starts_with("bap-on-"))
            else {
                continue;
            };
            let sent = Sent {
                action: callback.request(),
                message_id: MessageId::parse(context("message_id")).unwrap(),
                body: b"{}".to_vec(),
                at,
                to: context("bpp_id").to_owned(),
                outcome: "ACK".to_owned(),
                milliseconds: None,
            };
            let transaction = TransactionId::parse(context("transaction_id")).unwrap();
            let bpp = SubscriberId::parse(context("bpp_id")).unwrap();
            transactions.begin(&transaction, &sent, Some(&bpp), Some(&asker)).await.unwrap();
        }
    }

    /// Feeds an event to its function.
    pub(crate) async fn play(&self, sample: &Sample) -> Result<(), String> {
        let role = match sample.function.name.split('-').next().unwrap() {
            "bpp" => Role::Bpp,
            "bap" => Role::Bap,
            "gateway" => Role::Gateway,
            "registry" => Role::Registry,
            other => panic!("{other} is no role"),
        };
        let deps = self.network.role(role).clone();
        let answer = invoke(&sample.function, deps, sample.event.clone()).await.map_err(|error| error.to_string())?;
        match sample.function.trigger {
            Trigger::Http { .. } => check_response(sample, &answer),
            Trigger::Queue { queue: "registry-verify", .. } => check_challenge(sample, &answer, &self.told(sample)),
            Trigger::Queue { .. } => check_batch(sample, &answer, &self.heard(&sample.sends(), &sample.message_id())),
            Trigger::Stream { .. } | Trigger::Schedule { .. } if !answer.is_null() => {
                Err(format!("expected nothing, got {answer}"))
            }
            Trigger::Stream { .. } => {
                sample.order_id().map_or(Ok(()), |order| check_lapse(sample, &self.heard_of_the_end(order)))
            }
            Trigger::Schedule { .. } => match self.lapsed(sample.at).await {
                0 => Ok(()),
                left => Err(format!("{left} lapsed holds are still in the table")),
            },
        }
    }

    /// What the sample participants received from the registry about the key of a task.
    fn told(&self, sample: &Sample) -> Vec<Value> {
        let task = sample.message();
        let received = self.ears.iter().flat_map(|ear| ear.received()).filter(|one| one.path == "/on_subscribe");
        let bodies = received.map(|one| serde_json::from_slice::<Value>(&one.body).unwrap());
        bodies.filter(|body| body["pub_key_id"] == task["key_id"]).collect()
    }

    /// What the sample participants received of the end of an order.
    fn heard_of_the_end(&self, order_id: &str) -> Vec<Value> {
        let received = self.ears.iter().flat_map(|ear| ear.received());
        let messages = received.map(|one| serde_json::from_slice::<Value>(&one.body).unwrap());
        let wanted = |it: &Value| it["context"]["action"] == "on_cancel" && it["message"]["order"]["id"] == order_id;
        messages.filter(wanted).collect()
    }

    /// What the sample participants received of an action under a message id.
    fn heard(&self, action: &str, message_id: &str) -> Vec<Value> {
        let received = self.ears.iter().flat_map(|ear| ear.received());
        let messages = received.map(|one| serde_json::from_slice::<Value>(&one.body).unwrap());
        let wanted = |context: &Value| context["action"] == action && context["message_id"] == message_id;
        messages.filter(|message| wanted(&message["context"])).collect()
    }

    pub(crate) async fn end(self) {
        self.network.stop().await;
    }
}

/// The sample provider has asked for the key of `registry-verify/challenge`.
async fn ask_for_a_second_key(participants: &Participants, ears: &[Stranger], at: Timestamp) {
    let bpp = ears.iter().find(|ear| ear.id.as_str() == "sample-bpp.example").unwrap();
    let key_id = KeyId::parse("sample-key-2").unwrap();
    let asked = Subscription {
        url: Some(bpp.url()),
        key_id: Some(key_id.clone()),
        encr_public_key: Some(EncryptionKey::generate(SAMPLE_SEED).public_key().to_base64()),
        status: Some(SubscriptionStatus::UnderSubscription),
        ..row(bpp.id.as_str(), "bpp", SubscriberType::Bpp, at)
    };
    let request = Request {
        id: "0d6c3f0e-5a0b-4b0e-9a55-6a3c1f2d7e11".to_owned(),
        asked,
        standing: Standing::UnderSubscription,
        requested_at: at,
        newcomer: false,
    };
    let seen = participants.subscriber(&bpp.id, at).await.unwrap();
    let entry = Entry { key_id, row: None, request: Some(request) };
    assert!(participants.change(&seen, &[entry]).await.unwrap());
}

/// The registry's row of a sample participant, as `events/README.md` tells it.
fn row(name: &str, path: &str, role: SubscriberType, at: Timestamp) -> Subscription {
    Subscription {
        subscriber_id: Some(SubscriberId::parse(name).unwrap()),
        url: Some(format!("https://{name}/{path}")),
        r#type: Some(role),
        key_id: Some(KeyId::parse("sample-key-1").unwrap()),
        signing_public_key: Some(SigningKey::generate(SAMPLE_SEED).verifying_key().to_base64()),
        status: Some(SubscriptionStatus::Subscribed),
        created: Some(at),
        updated: Some(at),
        ..Subscription::default()
    }
}
