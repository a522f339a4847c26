//! Processor time of receiving and responding, by size of the body, against the floor.
//!
//! Invariant: only the measuring thread's own processor time is counted. The embedded DynamoDB, the
//! embedded SQS's writer and the peer that takes the callback run on other threads, as they run on other
//! machines in a deployment.

use std::collections::BTreeMap;
use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use beckn_health::commands::shipped_catalogue;
use beckn_health::failure::Failure;
use beckn_health::network::Network;
use beckn_health::network::identity::Role;
use beckn_health::sqs::{QueueSettings, Sqs};
use beckn_health_functions::bpp::{on_select, select};
use beckn_health_platform::clock::{Clock as _, SystemClock};
use beckn_health_platform::deps::Deps;
use beckn_health_platform::function::{QueueRecord, Request, Trigger};
use beckn_health_platform::receive::receive;
use beckn_health_platform::respond::Inbound;
use beckn_health_protocol::action::{Action, Callback, Verb};
use beckn_health_protocol::dialect::{self, Reading};
use beckn_health_protocol::message::{Message, OrderMessage, SelectMessage};
use blake2::{Blake2b512, Digest as _};
use cpu_time::ThreadTime;
use ed25519_dalek::Signer as _;
use serde::Deserialize;
use serde_json::value::RawValue;
use serde_json::{Value, json};

use crate::consumer::{Consumer, Signed, padding, search_message};
use crate::figures::Figures;
use crate::network;
use crate::report::{Budget, Limit, Section, short};

/// Bytes of the bodies.
const SIZES: [usize; 3] = [2_048, 20_480, 204_800];
/// Turns of all steps; the figures are medians over them.
const TURNS: usize = 31;
/// Processor time of one step in one turn.
const TURN: Duration = Duration::from_millis(15);
/// The budget of DESIGN for what we do on top of what nobody can leave out.
const MOST: f64 = 1.3;

/// What is measured, in turns.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Step {
    /// BLAKE2b-512, `verify_strict` and the envelope.
    Floor,
    /// The verification pipeline, its registry row cached; SQS left out.
    Receive,
    /// The receiver's handler with its `SendMessage`.
    Acknowledge,
    /// What a responder does itself: read the record, give it its type, write and sign the reply.
    Answer,
    /// The responder's handler with its reads and its delivery.
    Respond,
}

impl Step {
    const ALL: [Step; 5] = [Step::Floor, Step::Receive, Step::Acknowledge, Step::Answer, Step::Respond];

    fn name(self) -> &'static str {
        match self {
            Step::Floor => "floor",
            Step::Receive => "receive: verify, parse, check",
            Step::Acknowledge => "receive to ACK, with the SDK's SendMessage",
            Step::Answer => "respond: read, type, write, sign",
            Step::Respond => "respond whole: with DynamoDB reads and HTTP delivery",
        }
    }

    fn has_budget(self) -> bool {
        matches!(self, Step::Receive | Step::Answer)
    }
}

/// Measures every step with every size.
///
/// # Errors
/// The network does not start, or a step does not do what it should.
pub fn measure() -> Result<Section, Failure> {
    let others = tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_all().build()?;
    let own = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    let (network, consumer, chosen) = others.block_on(scene())?;
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    let mut budgets = Vec::new();
    for size in SIZES {
        eprintln!("  bodies of {size} bytes");
        let bench = own.block_on(Bench::new(&network, &consumer, &chosen, size))?;
        let measured = own.block_on(bench.take_turns())?;
        let floor =
            measured.iter().find(|(step, _)| *step == Step::Floor).map(|(_, all)| all.clone()).unwrap_or_default();
        for (step, all) in &measured {
            let microseconds = Figures::of(all.clone()).map_or(f64::NAN, |figures| figures.median());
            let ratios = all.iter().zip(&floor).map(|(time, floor)| time / floor).collect();
            let ratio = Figures::of(ratios).map_or(f64::NAN, |figures| figures.median());
            rows.push(vec![
                bench.signed.body.len().to_string(),
                step.name().to_owned(),
                short(microseconds),
                format!("{ratio:.2}"),
            ]);
            figures.push(json!({
                "body_bytes": bench.signed.body.len(), "step": step.name(), "microseconds": microseconds, "ratio": ratio,
            }));
            if step.has_budget() {
                budgets.push(Budget {
                    what: format!("CPU of {}, {} KB `select`, ÷ floor", step.name(), size / 1_024),
                    measured: ratio,
                    limit: Limit::AtMost(MOST),
                    unit: "×",
                });
            }
        }
    }
    others.block_on(network.stop());
    others.shutdown_timeout(Duration::from_secs(5));
    Ok(Section {
        title: "Processor time of receive and respond",
        method: format!(
            "Processor time of the thread that does the work, per message, median of {TURNS} turns in which the steps \
             follow one another; ratios are taken turn by turn. Floor: BLAKE2b-512 of the body, Ed25519 \
             `verify_strict` under a key already parsed, envelope (`context`, `message` as `RawValue`). \
             *Receive* is the verification pipeline with the signer's registry row cached, without SQS; *to ACK* adds the \
             handler and the AWS SDK's `SendMessage` against the embedded SQS (its writer thread is not counted). \
             *Respond* is `bpp-on-select`: first its own work alone, then the whole handler with its reads through the \
             AWS SDK and its delivery over loopback HTTP (the database and the peer are not counted)."
        ),
        columns: vec!["body bytes", "step", "CPU µs", "÷ floor"],
        rows,
        figures: Value::Array(figures),
        budgets,
    })
}

/// A network, a consumer, and `message` of a `select` of something that is on offer there.
async fn scene() -> Result<(Network, Consumer, Value), Failure> {
    let network = network::start(None, shipped_catalogue()?).await?;
    let consumer = Consumer::join(&network).await?;
    let search = consumer.sign("search", true, &search_message(12.93, 77.61, 10, 0))?;
    let heard = consumer.await_callback(&search);
    let url = format!("{}/bpp/search", network.base_url());
    let egress = &network.role(Role::Bpp).egress;
    egress.post(&url, &[("authorization", search.authorization.clone())], search.body.clone()).await?;
    let (_, body) = heard.await?;
    let found: Value = serde_json::from_slice(&body)?;
    let provider = &found["message"]["catalog"]["providers"][0];
    let item = &provider["items"][0];
    if !item["fulfillment_ids"][0].is_string() {
        return Err(Failure("the sample catalogue offers no slot to select".to_owned()));
    }
    let order = json!({
        "provider": { "id": provider["id"] },
        "items": [{ "id": item["id"] }],
        "fulfillments": [{ "id": item["fulfillment_ids"][0] }],
    });
    Ok((network, consumer, json!({ "order": order })))
}

/// One size of body.
struct Bench {
    deps: Arc<Deps>,
    signed: Signed,
    record: QueueRecord,
    reply: OrderMessage,
    floor: Floor,
}

/// What anybody must do with a signed message.
struct Floor {
    key: ed25519_dalek::VerifyingKey,
    text: String,
    signature: ed25519_dalek::Signature,
}

#[derive(Deserialize)]
struct FloorEnvelope<'a> {
    #[serde(borrow)]
    context: &'a RawValue,
    #[serde(borrow)]
    message: &'a RawValue,
}

impl Bench {
    async fn new(network: &Network, consumer: &Consumer, chosen: &Value, size: usize) -> Result<Self, Failure> {
        let deps = own_deps(network).await?;
        let mut message = chosen.clone();
        let bare = consumer.sign("select", true, &message)?;
        message["order"]["tags"] = Value::Array(padding(size.saturating_sub(bare.body.len())));
        let signed = consumer.sign("select", true, &message)?;
        let record = QueueRecord {
            id: "bench".to_owned(),
            receipt_handle: "bench".to_owned(),
            receive_count: 1,
            body: String::from_utf8(signed.body.to_vec())?,
            attributes: BTreeMap::from([
                ("subscriber_id".to_owned(), consumer.participant.subscriber_id.to_string()),
                ("expires_at".to_owned(), SystemClock.now().saturating_add(Duration::from_secs(3_600))?.to_string()),
            ]),
            queue: on_select::QUEUE,
        };
        // The reply that this network gives is the one that is written again and again.
        let heard = consumer.await_callback(&signed);
        respond(&deps, record.clone()).await?;
        let (_, body) = heard.await?;
        let answer = dialect::read(&body, Verb::Callback(Callback::OnSelect), Reading::Strict)
            .map_err(|fault| Failure(format!("on_select cannot be read: {} at {}", fault.message, fault.path)))?;
        if let Some(error) = &answer.error {
            return Err(Failure(format!("on_select says: {}", error.code)));
        }
        let reply = answer.message().map_err(|fault| Failure(fault.path))?;
        let secret = ed25519_dalek::SigningKey::from_bytes(&[7; 32]);
        // As long as the text that BECKN-006 has signed.
        let text = format!("(created): 1795300000\n(expires): 1795300300\ndigest: BLAKE-512={}", "A".repeat(88));
        let floor = Floor { key: secret.verifying_key(), signature: secret.sign(text.as_bytes()), text };
        Ok(Self { deps, signed, record, reply, floor })
    }

    /// Microseconds per message of every step, one figure for each turn.
    async fn take_turns(&self) -> Result<Vec<(Step, Vec<f64>)>, Failure> {
        let mut all: Vec<(Step, usize, Vec<f64>)> = Vec::new();
        for step in Step::ALL {
            self.times(step, 10).await?;
            let one = self.times(step, 10).await?.max(0.1);
            let messages = (TURN.as_secs_f64() * 1e6 / one).clamp(2.0, 5_000.0) as usize;
            all.push((step, messages, Vec::with_capacity(TURNS)));
        }
        for _ in 0..TURNS {
            for (step, messages, times) in &mut all {
                times.push(self.times(*step, *messages).await?);
            }
        }
        Ok(all.into_iter().map(|(step, _, times)| (step, times)).collect())
    }

    /// Microseconds of processor time per message.
    async fn times(&self, step: Step, messages: usize) -> Result<f64, Failure> {
        let before = ThreadTime::now();
        for _ in 0..messages {
            match step {
                Step::Floor => self.floor.run(&self.signed.body)?,
                Step::Receive => self.receive().await?,
                Step::Acknowledge => self.acknowledge().await?,
                Step::Answer => self.answer()?,
                Step::Respond => respond(&self.deps, self.record.clone()).await?,
            }
        }
        Ok(before.elapsed().as_secs_f64() * 1e6 / messages as f64)
    }

    fn request(&self) -> Result<Request, Failure> {
        let request = http::Request::post("/bpp/select")
            .header("content-type", "application/json")
            .header("authorization", &self.signed.authorization);
        Ok(request.body(self.signed.body.clone())?)
    }

    async fn receive(&self) -> Result<(), Failure> {
        match receive(&self.deps, self.request()?, Verb::Request(Action::Select)).await {
            Ok(verified) => {
                black_box(verified);
                Ok(())
            }
            Err(response) => Err(refused("receive", response.body())),
        }
    }

    async fn acknowledge(&self) -> Result<(), Failure> {
        let Trigger::Http { handler, .. } = select::FUNCTION.trigger else {
            return Err(Failure("bpp-select takes no requests".to_owned()));
        };
        let response = handler(self.deps.clone(), self.request()?).await;
        let acknowledged =
            beckn_health_protocol::ack::Response::parse(response.body()).is_ok_and(|answer| answer.is_ack());
        if acknowledged { Ok(()) } else { Err(refused("bpp-select", response.body())) }
    }

    fn answer(&self) -> Result<(), Failure> {
        let inbound = Inbound::from_record(&self.record, Action::Select)?;
        let asked: SelectMessage =
            inbound.message().map_err(|error| Failure(format!("select cannot be read: {}", error.code)))?;
        black_box(asked);
        let us = &self.deps.participant;
        let now = SystemClock.now();
        let context = inbound.envelope.context.reply(Callback::OnSelect, &us.subscriber_id, &us.url, now);
        let body = dialect::write(&Message::new(context, &self.reply));
        black_box(us.keys.held()?.sign(&us.subscriber_id, &body, now));
        Ok(())
    }
}

impl Floor {
    fn run(&self, body: &[u8]) -> Result<(), Failure> {
        black_box(Blake2b512::digest(body));
        self.key.verify_strict(self.text.as_bytes(), &self.signature)?;
        let envelope: FloorEnvelope<'_> = serde_json::from_slice(body)?;
        black_box((envelope.context.get().len(), envelope.message.get().len()));
        Ok(())
    }
}

/// The BPP's dependencies with clients of their own, so that their work is done by this thread, and a queue
/// that nobody reads.
async fn own_deps(network: &Network) -> Result<Arc<Deps>, Failure> {
    let bpp = network.role(Role::Bpp);
    let dynamodb = aws_sdk_dynamodb::Client::from_conf(bpp.tables.client().config().to_builder().build());
    let queues = Sqs::open(None, Arc::new(|| SystemClock.now()))?;
    let settings = QueueSettings {
        name: on_select::QUEUE.to_owned(),
        visibility_timeout: Duration::from_secs(180),
        max_receive_count: 5,
    };
    queues.create_queue(settings).await?;
    let sqs = aws_sdk_sqs::Client::from_conf(
        aws_sdk_sqs::Config::builder()
            .behavior_version(aws_sdk_sqs::config::BehaviorVersion::latest())
            .region(aws_sdk_sqs::config::Region::new("us-east-1"))
            .credentials_provider(aws_sdk_sqs::config::Credentials::new("local", "local", None, None, "benches"))
            .endpoint_url(queues.queue_url_prefix())
            .http_client(queues.connector())
            .build(),
    );
    let deps = Deps::assemble(Arc::new(SystemClock), bpp.settings.clone(), bpp.participant.clone(), dynamodb, sqs)?;
    Ok(Arc::new(deps))
}

async fn respond(deps: &Arc<Deps>, record: QueueRecord) -> Result<(), Failure> {
    let Trigger::Queue { handler, .. } = on_select::FUNCTION.trigger else {
        return Err(Failure("bpp-on-select has no queue".to_owned()));
    };
    handler(deps.clone(), record).await.map_err(Failure::from)
}

fn refused(what: &str, body: &[u8]) -> Failure {
    Failure(format!("{what} refused the message: {}", String::from_utf8_lossy(body)))
}
