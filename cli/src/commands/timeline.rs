//! A transaction as a timeline for people.

use serde_json::{Value, json};

use super::paint::Paint;

/// Between the words of what was decided.
const SEPARATOR: &str = " · ";

/// One request with its acknowledgement and its callback.
#[derive(Debug, Clone, PartialEq)]
pub struct Step {
    /// Who sent it.
    pub from: String,
    /// To whom.
    pub to: String,
    /// What.
    pub action: String,
    /// When, relative to the first message, in milliseconds.
    pub at_ms: i64,
    /// How the peer acknowledged it.
    pub ack: String,
    /// Milliseconds until the acknowledgement.
    pub ack_ms: Option<i64>,
    /// The callbacks, each with its sender and the milliseconds since the request.
    pub callbacks: Vec<(String, String, i64)>,
    /// What the first callback decided.
    pub decided: String,
}

/// The steps of a transaction as `GET /client/transactions/{id}` shows it.
pub fn steps(transaction: &Value) -> Vec<Step> {
    let messages = transaction["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let Some(begin) = messages.iter().find_map(instant) else { return Vec::new() };
    let mut steps = Vec::new();
    let mut answered = Vec::new();
    for message in messages.iter().filter(|message| message["direction"] == "sent") {
        let sent_at = instant(message).unwrap_or(begin);
        let answers: Vec<&Value> = messages
            .iter()
            .filter(|answer| answer["direction"] == "received" && answer["message_id"] == message["message_id"])
            .filter(|answer| {
                answer["action"].as_str().and_then(|action| action.strip_prefix("on_")) == message["action"].as_str()
            })
            .collect();
        answered.extend(answers.iter().copied());
        steps.push(Step {
            from: text(&message["body"]["context"]["bap_id"]),
            to: text(&message["peer"]),
            action: text(&message["action"]),
            at_ms: sent_at - begin,
            ack: text(&message["ack"]),
            ack_ms: message["milliseconds"].as_i64(),
            callbacks: answers
                .iter()
                .map(|answer| {
                    (text(&answer["action"]), text(&answer["peer"]), instant(answer).unwrap_or(sent_at) - sent_at)
                })
                .collect(),
            decided: answers.first().map(|answer| decided(&answer["body"])).unwrap_or_default(),
        });
    }
    // What a provider sent unasked.
    for message in messages.iter().filter(|message| message["direction"] == "received") {
        if !answered.iter().any(|answer| std::ptr::eq(*answer, message)) {
            steps.push(Step {
                from: text(&message["peer"]),
                to: text(&message["body"]["context"]["bap_id"]),
                action: text(&message["action"]),
                at_ms: instant(message).unwrap_or(begin) - begin,
                ack: "ACK".to_owned(),
                ack_ms: None,
                callbacks: Vec::new(),
                decided: decided(&message["body"]),
            });
        }
    }
    steps.sort_by_key(|step| step.at_ms);
    steps
}

/// The same as JSON.
pub fn to_json(steps: &[Step]) -> Value {
    steps
        .iter()
        .map(|step| {
            let callbacks: Vec<Value> = step
                .callbacks
                .iter()
                .map(|(action, from, milliseconds)| json!({ "action": action, "from": from, "milliseconds": milliseconds }))
                .collect();
            json!({
                "from": step.from, "to": step.to, "action": step.action, "at_ms": step.at_ms, "ack": step.ack,
                "ack_ms": step.ack_ms, "callbacks": callbacks, "decided": step.decided,
            })
        })
        .collect()
}

/// The lines of the timeline. Of what a callback decided, only what the one before it did not say.
pub fn lines(steps: &[Step]) -> Vec<String> {
    let paint = Paint::of_stdout();
    let mut lines = Vec::new();
    let mut known: Vec<&str> = Vec::new();
    for step in steps {
        let took = step.ack_ms.map(|ms| format!(" in {ms} ms")).unwrap_or_default();
        lines.push(format!(
            "{} {} {} → {}  {}{took}",
            paint.faint(&format!("{:>6} ms", step.at_ms)),
            paint.bold(&format!("{:<10}", step.action)),
            short(&step.from),
            short(&step.to),
            if step.ack == "ACK" { paint.good(&step.ack) } else { paint.bad(&step.ack) },
        ));
        for (action, from, milliseconds) in &step.callbacks {
            lines.push(format!(
                "{} {} {} → {}  after {milliseconds} ms",
                paint.faint(&format!("{:>6} ms", step.at_ms + milliseconds)),
                paint.bold(&format!("{action:<10}")),
                short(from),
                short(&step.from),
            ));
        }
        let news: Vec<&str> =
            step.decided.split(SEPARATOR).filter(|word| !word.is_empty() && !known.contains(word)).collect();
        if !news.is_empty() {
            lines.push(format!("{:>21}{}", "", news.join(SEPARATOR)));
        }
        known.extend(news);
    }
    lines
}

/// What a callback tells, in a few words.
pub fn decided(body: &Value) -> String {
    if let Some(error) = body["error"].as_object() {
        let part = |name: &str| error.get(name).and_then(Value::as_str).unwrap_or_default();
        return format!("error {}: {}", part("code"), part("message"));
    }
    let message = &body["message"];
    if let Some(providers) = message["catalog"]["providers"].as_array() {
        let items: usize = providers.iter().map(|provider| provider["items"].as_array().map_or(0, Vec::len)).sum();
        return format!("{items} services at {} facilities", providers.len());
    }
    let order = &message["order"];
    if order.is_object() {
        return order_words(order);
    }
    if let Some(status) = message["tracking"]["status"].as_str() {
        return format!("tracking {status}");
    }
    if message["support"].is_object() {
        return format!("ask {}", text(&message["support"]["phone"]));
    }
    String::new()
}

/// Doctor, slot, price, id and state of an order.
fn order_words(order: &Value) -> String {
    let fulfillment = &order["fulfillments"][0];
    let price = &order["quote"]["price"];
    let mut words = vec![text(&fulfillment["agent"]["person"]["name"])];
    words.push(text(&order["provider"]["descriptor"]["name"]));
    words.push(text(&fulfillment["stops"][0]["time"]["timestamp"]));
    words.push(format!("{} {}", text(&price["currency"]), amount(&price["value"])));
    if let Some(id) = order["id"].as_str() {
        words.push(format!("order {id}"));
    }
    if let Some(state) = fulfillment["state"]["descriptor"]["code"].as_str() {
        words.push(format!("{state}, {}", text(&order["payments"][0]["status"])));
    }
    words.retain(|word| !word.trim().is_empty());
    words.join(SEPARATOR)
}

/// An amount of money with two decimals, as people write it.
pub fn amount(value: &Value) -> String {
    let text = text(value);
    text.parse::<rust_decimal::Decimal>().map_or(text, |amount| format!("{amount:.2}"))
}

fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}

fn instant(message: &Value) -> Option<i64> {
    message["at"].as_str()?.parse::<jiff::Timestamp>().ok().map(jiff::Timestamp::as_millisecond)
}

/// The first label of a host name is enough on one screen.
fn short(participant: &str) -> &str {
    participant.split('.').next().unwrap_or(participant)
}
