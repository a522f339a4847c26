//! Beckn 1.1.0, with the profile that makes it checkable.
//!
//! The specification requires nothing of a context but its action. What a transaction cannot do without is
//! required here, in both readings: domain, version, action, both addresses of the consumer platform, the
//! ids, the timestamp, and from `select` on (and in callbacks) the provider platform.

use serde_json::{Map, Value};

use crate::action::{Action, Verb};
use crate::context::Context;
use crate::error::Error;
use crate::fault::Fault;
use crate::json;
use crate::wire::Described;

use super::faults::{self, Findings};
use super::walk::{Path, Walk};
use super::{Checked, Envelope, Reading, skim, typed};

/// Reads a body; see [`super::read`].
pub(super) fn read(body: &[u8], verb: Verb, reading: Reading) -> Result<Envelope, Fault> {
    let mut message = json::parse_object(body)?;
    let mut findings = Findings::new(reading);

    let context = context(message.shift_remove("context"), verb, &mut findings)?;
    let (message, error) = body_and_error(message, verb, &context, &mut findings)?;
    Ok(Envelope { context, message, error, tolerated: findings.tolerated })
}

/// Checks a body; see [`super::check`].
pub(super) fn check(body: &[u8], verb: Verb, reading: Reading) -> Result<Checked, Fault> {
    let Some(skimmed) = skim::skim(body, verb.message_shape()) else {
        let Envelope { context, tolerated, .. } = read(body, verb, reading)?;
        return Ok(Checked { context, tolerated });
    };
    let mut findings = Findings::new(reading);
    let context = context(skimmed.context, verb, &mut findings)?;
    Ok(Checked { context, tolerated: findings.tolerated })
}

fn context(sent: Option<Value>, verb: Verb, findings: &mut Findings) -> Result<Context, Fault> {
    let mut context = match sent {
        Some(Value::Object(context)) => context,
        Some(_) => return Err(Fault::invalid("context", "expected an object")),
        None => return Err(Fault::invalid("context", "expected an object, found none")),
    };
    faults::settle_context(&mut context, verb, findings)?;

    let action = context.get("action").and_then(Value::as_str);
    if action != Some(verb.as_str()) {
        let found = match action.map(str::parse::<Verb>) {
            Some(Ok(other)) => format!("\"{other}\""),
            Some(Err(_)) => "another text".to_owned(),
            None => "none".to_owned(),
        };
        return Err(Fault::invalid("context.action", format!("expected \"{verb}\", found {found}")));
    }

    let zone = faults::zone_of(&context);
    Walk::new(findings, zone).object(&mut context, Context::SHAPE, Path::Root("context"))?;
    require_context(&context, verb)?;
    typed("context", &Value::Object(context))
}

fn require_context(context: &Map<String, Value>, verb: Verb) -> Result<(), Fault> {
    let require = |name: &str| match context.get(name) {
        Some(Value::String(text)) if !text.is_empty() => Ok(()),
        Some(Value::String(_)) => Err(Fault::invalid(format!("context.{name}"), "expected a value, found empty text")),
        _ => Err(Fault::invalid(format!("context.{name}"), "expected a value, found none")),
    };
    for name in ["domain", "version", "bap_id", "bap_uri", "message_id", "timestamp"] {
        require(name)?;
    }
    // In a request of the compat reading the next three may be missing: `faults` has told so already, and
    // in the strict reading has refused. A callback must say who calls back.
    if let Verb::Callback(_) = verb {
        require("bpp_id")?;
        require("bpp_uri")?;
    }
    if may_lack_transaction(verb) { Ok(()) } else { require("transaction_id") }
}

/// Whether the message is about an order it names, so that the transaction can be found without its id.
pub(super) const fn may_lack_transaction(verb: Verb) -> bool {
    match verb.action() {
        Action::Search | Action::Select | Action::Init | Action::Confirm => false,
        Action::Status | Action::Track | Action::Cancel | Action::Update | Action::Rating | Action::Support => true,
    }
}

fn body_and_error(
    mut message: Map<String, Value>,
    verb: Verb,
    context: &Context,
    findings: &mut Findings,
) -> Result<(Value, Option<Error>), Fault> {
    let error = match message.shift_remove("error") {
        None | Some(Value::Null) => None,
        Some(error) => Some(
            Error::from_value(error)
                .ok_or_else(|| Fault::invalid("error", "expected an object with a code and a message"))?,
        ),
    };
    let body = match message.shift_remove("message") {
        None | Some(Value::Null) => None,
        Some(Value::Object(body)) => Some(body),
        Some(_) => return Err(Fault::invalid("message", "expected an object")),
    };
    let Some(mut body) = body else {
        // Only a callback may come with an error in place of a body.
        return match (verb, &error) {
            (Verb::Callback(_), Some(_)) => Ok((Value::Null, error)),
            (Verb::Callback(_), None) => Err(Fault::invalid("message", "expected an object, or an error beside it")),
            (Verb::Request(_), _) => Err(Fault::invalid("message", "expected an object, found none")),
        };
    };
    let zone = faults::zone_of_country(context.country_code());
    let mut walk = Walk::new(findings, zone);
    match &error {
        None => walk.object(&mut body, verb.message_shape(), Path::Root("message"))?,
        // Beside an error the body may be partial, even empty.
        Some(_) => walk.partial_object(&mut body, verb.message_shape(), Path::Root("message"))?,
    }
    Ok((Value::Object(body), error))
}
