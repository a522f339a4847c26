//! The one list of faults that are tolerated: what deployed peers and published examples get wrong, and
//! what is meant by it.
//!
//! Invariant: nothing else in the crate makes an exception for a peer's mistake. In the strict reading the
//! first of these faults refuses the message; in the compat reading each is settled and reported.

use serde_json::{Map, Number, Value};

use crate::action::Verb;
use crate::fault::Fault;
use crate::wire::{Field, Shape};

use super::beckn_1_1::may_lack_transaction;
use super::{Reading, Tolerated};

/// A fault that is known and can be settled.
#[derive(Debug)]
pub struct KnownFault {
    /// Its name in logs and reports.
    pub id: &'static str,
    /// What is wrong and what is made of it.
    pub sentence: &'static str,
    rule: Rule,
}

/// Given the fields an object knows and one name it does not: the name that is meant.
type Naming = fn(&[Field], &str) -> Option<&'static str>;

/// How a fault is found and settled.
#[derive(Debug)]
enum Rule {
    /// In a context: settles it and names the field at fault.
    Context(fn(&mut Map<String, Value>, Verb) -> Option<&'static str>),
    /// In the value of a known field that does not have its form: the value that is meant.
    Form(fn(&Shape, &Value, Zone) -> Option<Value>),
    /// In the value of a known field that does not have its form and means nothing the field can hold.
    Meaningless(fn(&Shape, &Value) -> bool),
    /// In the name of an unknown field: the name that is meant.
    Name(Naming),
}

/// All of them. Those of the context come first and in the order in which they build on one another.
pub static KNOWN_FAULTS: &[KnownFault] = &[
    KnownFault {
        id: "core-version",
        sentence: "The version stands in `core_version`, its name before 1.0; it is read as `version`.",
        rule: Rule::Context(|context, _| rename_text(context, "core_version", "version")),
    },
    KnownFault {
        id: "flat-country",
        sentence: "The country is a text in the context, its place before 1.0; it is read as `location.country.code`.",
        rule: Rule::Context(|context, _| flat_place(context, "country")),
    },
    KnownFault {
        id: "flat-city",
        sentence: "The city is a text in the context, its place before 1.0; it is read as `location.city.code`.",
        rule: Rule::Context(|context, _| flat_place(context, "city")),
    },
    KnownFault {
        id: "bap-url",
        sentence: "The address of the consumer platform stands in `bap_url`; it is read as `bap_uri`.",
        rule: Rule::Context(|context, _| rename_text(context, "bap_url", "bap_uri")),
    },
    KnownFault {
        id: "bpp-url",
        sentence: "The address of the provider platform stands in `bpp_url`; it is read as `bpp_uri`.",
        rule: Rule::Context(|context, _| rename_text(context, "bpp_url", "bpp_uri")),
    },
    KnownFault {
        id: "callback-named-as-request",
        sentence: "A callback carries the action of its request (`select` in an `on_select`); it is read as the callback.",
        rule: Rule::Context(callback_named_as_request),
    },
    KnownFault {
        id: "bap-id-is-url",
        sentence: "The consumer platform is named by a URL; its host is read as the subscriber id.",
        rule: Rule::Context(|context, _| url_as_id(context, "bap_id")),
    },
    KnownFault {
        id: "bpp-id-is-url",
        sentence: "The provider platform is named by a URL; its host is read as the subscriber id.",
        rule: Rule::Context(|context, _| url_as_id(context, "bpp_id")),
    },
    KnownFault {
        id: "transaction-id-missing",
        sentence: "A message about an order has no transaction id; the order it names stands for it.",
        rule: Rule::Context(|context, verb| {
            (may_lack_transaction(verb) && is_missing(context, "transaction_id")).then_some("transaction_id")
        }),
    },
    KnownFault {
        id: "transaction-id-not-uuid",
        sentence: "The transaction id is no UUID; it is kept as it is.",
        rule: Rule::Context(|context, _| not_uuid(context, "transaction_id")),
    },
    KnownFault {
        id: "message-id-not-uuid",
        sentence: "The message id is no UUID (some start with a `$`); it is kept as it is.",
        rule: Rule::Context(|context, _| not_uuid(context, "message_id")),
    },
    KnownFault {
        id: "bpp-id-missing",
        sentence: "A request after search does not name the provider platform; it is taken to be the receiver.",
        rule: Rule::Context(|context, verb| missing_provider_platform(context, verb, "bpp_id")),
    },
    KnownFault {
        id: "bpp-uri-missing",
        sentence: "A request after search has no address of the provider platform; it is taken to be the receiver's.",
        rule: Rule::Context(|context, verb| missing_provider_platform(context, verb, "bpp_uri")),
    },
    KnownFault {
        id: "place-as-text",
        sentence: "A city, state or country is a text; it is read as its code.",
        rule: Rule::Form(place_as_text),
    },
    KnownFault {
        id: "number-as-text-expected",
        sentence: "A number stands where a text is specified; its digits are read.",
        rule: Rule::Form(number_for_text),
    },
    KnownFault {
        id: "text-as-number-expected",
        sentence: "A text stands where a number or a truth value is specified; what it spells is read.",
        rule: Rule::Form(text_for_number),
    },
    KnownFault {
        id: "ttl-in-seconds",
        sentence: "A duration is a bare number; it is read as seconds.",
        rule: Rule::Form(bare_seconds),
    },
    KnownFault {
        id: "percent-sign",
        sentence: "A decimal carries a per cent sign or blanks; they are left out.",
        rule: Rule::Form(percent_sign),
    },
    KnownFault {
        id: "time-zone-doubled",
        sentence: "A time has both `Z` and an offset (`Z+5:30`); the offset holds.",
        rule: Rule::Form(zone_doubled),
    },
    KnownFault {
        id: "time-without-zone",
        sentence: "A time has no zone; Indian time is read when the context's country is India, UTC otherwise.",
        rule: Rule::Form(zone_missing),
    },
    KnownFault {
        id: "time-with-blank",
        sentence: "Date and time are separated by a blank, or the offset lacks its colon; RFC 3339 is read.",
        rule: Rule::Form(zone_or_separator_form),
    },
    KnownFault {
        id: "time-of-day",
        sentence: "A time has no date, so no instant can be read; it is kept as it came, under the field's name and `_as_sent`.",
        rule: Rule::Meaningless(time_of_day),
    },
    KnownFault {
        id: "gps-form",
        sentence: "A position is in degrees with letters (`12.9° N, 77.5° E`) or has blanks in it; decimal degrees are read.",
        rule: Rule::Form(gps_form),
    },
    KnownFault {
        id: "single-for-list",
        sentence: "One object or text stands where a list is specified; it is read as a list of one.",
        rule: Rule::Form(|shape, value, _| match (shape, value) {
            (Shape::List(_), Value::Object(_) | Value::String(_)) => Some(Value::Array(vec![value.clone()])),
            _ => None,
        }),
    },
    KnownFault {
        id: "singular-for-plural",
        sentence: "A list is sent under its singular name (`fulfillment` for `fulfillments`); the plural is read.",
        rule: Rule::Name(|fields, name| {
            let plural = fields.iter().find(|field| {
                matches!(field.shape, Shape::List(_))
                    && (field.name.strip_suffix('s') == Some(name)
                        || (name.ends_with('y') && field.name.strip_suffix("ies") == name.strip_suffix('y')))
            })?;
            Some(plural.name)
        }),
    },
];

/// What was found so far, and what to do with a finding.
pub(super) struct Findings {
    reading: Reading,
    pub(super) tolerated: Vec<Tolerated>,
}

impl Findings {
    pub(super) const fn new(reading: Reading) -> Self {
        Self { reading, tolerated: Vec::new() }
    }

    /// Refuses a known fault or notes it, as the reading has it.
    pub(super) fn found(&mut self, fault: &'static KnownFault, path: impl FnOnce() -> String) -> Result<(), Fault> {
        match self.reading {
            Reading::Strict => Err(Fault::invalid(path(), format!("{} (fault {})", fault.sentence, fault.id))),
            Reading::Compat => {
                self.tolerated.push(Tolerated { id: fault.id, path: path() });
                Ok(())
            }
        }
    }
}

/// Finds and settles the faults of a context.
pub(super) fn settle_context(
    context: &mut Map<String, Value>,
    verb: Verb,
    findings: &mut Findings,
) -> Result<(), Fault> {
    for fault in KNOWN_FAULTS {
        if let Rule::Context(rule) = fault.rule
            && let Some(name) = rule(context, verb)
        {
            findings.found(fault, || format!("context.{name}"))?;
        }
    }
    Ok(())
}

/// What is meant by a value that does not have its form.
pub(super) enum Meant {
    /// This value, which has its form.
    Value(Value),
    /// Nothing its field can hold.
    Nothing,
}

/// What is meant by a value that does not have its form, when a known fault explains it.
pub(super) fn settle(shape: &Shape, value: &Value, zone: Zone) -> Option<(&'static KnownFault, Meant)> {
    KNOWN_FAULTS.iter().find_map(|fault| match fault.rule {
        Rule::Form(rule) => rule(shape, value, zone).map(|meant| (fault, Meant::Value(meant))),
        Rule::Meaningless(rule) => rule(shape, value).then_some((fault, Meant::Nothing)),
        Rule::Context(_) | Rule::Name(_) => None,
    })
}

/// The name a field without a meaning is kept under.
pub(super) fn name_aside(name: &str) -> String {
    format!("{name}_as_sent")
}

/// The name that is meant by one that is not among the fields, when a known fault explains it. An object that
/// has a field of that name too is left as it is.
pub(super) fn naming(fields: &[Field], name: &str) -> Option<(&'static KnownFault, &'static str)> {
    KNOWN_FAULTS.iter().find_map(|fault| match fault.rule {
        Rule::Name(rule) => rule(fields, name).map(|meant| (fault, meant)),
        Rule::Context(_) | Rule::Form(_) | Rule::Meaningless(_) => None,
    })
}

/// The value of a renamed field: a list, as the plural has it.
pub(super) fn listed(value: Value) -> Value {
    match value {
        Value::Array(_) | Value::Null => value,
        single => Value::Array(vec![single]),
    }
}

/// The zone of a time that has none.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Zone {
    India,
    Utc,
}

impl Zone {
    const fn offset(self) -> &'static str {
        match self {
            Self::India => "+05:30",
            Self::Utc => "Z",
        }
    }
}

/// The zone of the context's country. India has one.
pub(super) fn zone_of_country(country: Option<&str>) -> Zone {
    match country {
        Some("IND" | "IN") => Zone::India,
        _ => Zone::Utc,
    }
}

/// The zone of a context that was not read yet.
pub(super) fn zone_of(context: &Map<String, Value>) -> Zone {
    let country = context.get("location").and_then(|location| location.get("country"));
    zone_of_country(country.and_then(|country| country.get("code").unwrap_or(country).as_str()))
}

// Rules of the context.

fn text<'a>(context: &'a Map<String, Value>, name: &str) -> Option<&'a str> {
    context.get(name).and_then(Value::as_str)
}

fn is_missing(context: &Map<String, Value>, name: &str) -> bool {
    context.get(name).is_none_or(Value::is_null)
}

fn rename_text(context: &mut Map<String, Value>, from: &'static str, to: &str) -> Option<&'static str> {
    if !is_missing(context, to) || text(context, from).is_none() {
        return None;
    }
    let value = context.shift_remove(from)?;
    context.insert(to.to_owned(), value);
    Some(from)
}

/// Moves `context.country` or `context.city` to `location`, unless the location says it already.
fn flat_place(context: &mut Map<String, Value>, name: &'static str) -> Option<&'static str> {
    text(context, name)?;
    if is_missing(context, "location") {
        context.insert("location".to_owned(), Value::Object(Map::new()));
    }
    let location = context.get_mut("location").and_then(Value::as_object_mut)?;
    if !is_missing(location, name) {
        return None;
    }
    location.insert(name.to_owned(), Value::Null);
    let code = context.shift_remove(name)?;
    let place = context.get_mut("location").and_then(|location| location.get_mut(name))?;
    *place = coded(code);
    Some(name)
}

fn coded(code: Value) -> Value {
    let mut place = Map::new();
    place.insert("code".to_owned(), code);
    Value::Object(place)
}

fn callback_named_as_request(context: &mut Map<String, Value>, verb: Verb) -> Option<&'static str> {
    let Verb::Callback(callback) = verb else {
        return None;
    };
    if text(context, "action") != Some(callback.request().as_str()) {
        return None;
    }
    context.insert("action".to_owned(), Value::from(callback.as_str()));
    Some("action")
}

fn url_as_id(context: &mut Map<String, Value>, name: &'static str) -> Option<&'static str> {
    let host = host(text(context, name)?)?.to_owned();
    context.insert(name.to_owned(), Value::String(host));
    Some(name)
}

/// The host of an `http` or `https` URL. A URL with a user name has no host anyone should trust.
fn host(url: &str) -> Option<&str> {
    let rest = url.strip_prefix("https://").or_else(|| url.strip_prefix("http://"))?;
    let authority = rest.split(['/', '?', '#']).next()?;
    let host = authority.split(':').next()?;
    (!host.is_empty() && host.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'.' || byte == b'-'))
        .then_some(host)
}

fn not_uuid(context: &Map<String, Value>, name: &'static str) -> Option<&'static str> {
    let id = text(context, name)?;
    let is_uuid = id.len() == 36 && uuid::Uuid::try_parse(id).is_ok();
    // An empty id is no id: what requires it says so.
    (!is_uuid && !id.is_empty()).then_some(name)
}

fn missing_provider_platform(context: &Map<String, Value>, verb: Verb, name: &'static str) -> Option<&'static str> {
    match verb {
        Verb::Request(action) if action != crate::action::Action::Search => is_missing(context, name).then_some(name),
        _ => None,
    }
}

// Rules of forms. Each sees only values that do not fit their shape, and gives one that does.

fn fitting(shape: &Shape, meant: impl Into<Value>) -> Option<Value> {
    let meant = meant.into();
    shape.fits(&meant).then_some(meant)
}

fn place_as_text(shape: &Shape, value: &Value, _: Zone) -> Option<Value> {
    match (shape, value) {
        (Shape::Object("City" | "State" | "Country", _), Value::String(_)) => Some(coded(value.clone())),
        _ => None,
    }
}

fn number_for_text(shape: &Shape, value: &Value, _: Zone) -> Option<Value> {
    match (shape, value) {
        (Shape::Text | Shape::Id | Shape::Decimal, Value::Number(number)) => fitting(shape, number.to_string()),
        _ => None,
    }
}

fn text_for_number(shape: &Shape, value: &Value, _: Zone) -> Option<Value> {
    match (shape, value.as_str()?.trim()) {
        (Shape::Integer, text) => text.parse::<i64>().ok().map(Value::from),
        (Shape::Boolean, text) if text.eq_ignore_ascii_case("true") => Some(Value::Bool(true)),
        (Shape::Boolean, text) if text.eq_ignore_ascii_case("false") => Some(Value::Bool(false)),
        _ => None,
    }
}

fn bare_seconds(shape: &Shape, value: &Value, _: Zone) -> Option<Value> {
    let Shape::Duration = shape else {
        return None;
    };
    let seconds = match value {
        Value::Number(number) => number.as_u64()?,
        Value::String(text) => text.parse().ok()?,
        _ => return None,
    };
    fitting(shape, format!("PT{}S", Number::from(seconds)))
}

fn percent_sign(shape: &Shape, value: &Value, _: Zone) -> Option<Value> {
    let Shape::Decimal = shape else {
        return None;
    };
    fitting(shape, value.as_str()?.trim().trim_end_matches('%').trim_end())
}

/// `2022-04-20T12:00:00Z+5:30`.
fn zone_doubled(shape: &Shape, value: &Value, _: Zone) -> Option<Value> {
    let Shape::Timestamp = shape else {
        return None;
    };
    let (time, offset) = value.as_str()?.split_once(['Z', 'z'])?;
    let sign = offset.get(..1).filter(|sign| matches!(*sign, "+" | "-"))?;
    let (hours, minutes) = offset.get(1..)?.split_once(':')?;
    fitting(shape, format!("{time}{sign}{hours:0>2}:{minutes}"))
}

/// `2023-11-04T10:00`, `2023-11-04 10:00:00` and `2023-11-04`.
fn zone_missing(shape: &Shape, value: &Value, zone: Zone) -> Option<Value> {
    let Shape::Timestamp = shape else {
        return None;
    };
    let text = value.as_str()?.trim();
    let (date, time) = match text.split_once(['T', ' ']) {
        Some((date, time)) => (date, time.trim()),
        None => (text, "00:00:00"),
    };
    let time = if time.len() == "10:00".len() { format!("{time}:00") } else { time.to_owned() };
    fitting(shape, format!("{date}T{time}{}", zone.offset()))
}

/// `2023-11-04 10:00:00Z` and `2023-11-04T10:00:00+0530`.
fn zone_or_separator_form(shape: &Shape, value: &Value, _: Zone) -> Option<Value> {
    let Shape::Timestamp = shape else {
        return None;
    };
    let (date, time) = value.as_str()?.trim().split_once(['T', ' '])?;
    fitting(shape, format!("{date}T{}", time.trim().replace(' ', "")))
}

/// `10:00`, `10:00:00` and `0000-00-00T10:00:00Z`: opening hours, where published messages put them.
fn time_of_day(shape: &Shape, value: &Value) -> bool {
    let text = value.as_str().map(str::trim).unwrap_or_default();
    let time = text.strip_prefix("0000-00-00T").map_or(text, |time| time.trim_end_matches('Z'));
    let form =
        time.bytes().enumerate().all(|(at, byte)| if at % 3 == 2 { byte == b':' } else { byte.is_ascii_digit() });
    matches!(shape, Shape::Timestamp) && form && matches!(time.len(), 5 | 8)
}

/// `12.9716° N, 77.5946° E`, and decimal degrees with blanks around them.
fn gps_form(shape: &Shape, value: &Value, _: Zone) -> Option<Value> {
    let Shape::Gps = shape else {
        return None;
    };
    let (latitude, longitude) = value.as_str()?.split_once(',')?;
    let latitude = signed_degrees(latitude, 'N', 'S')?;
    let longitude = signed_degrees(longitude, 'E', 'W')?;
    fitting(shape, format!("{latitude},{longitude}"))
}

fn signed_degrees(text: &str, positive: char, negative: char) -> Option<String> {
    let text = text.trim();
    let (number, is_negative) = if let Some(number) = text.strip_suffix(positive) {
        (number, false)
    } else if let Some(number) = text.strip_suffix(negative) {
        (number, true)
    } else {
        (text, false)
    };
    let number = number.trim_end().trim_end_matches('°').trim_end();
    match (is_negative, number.starts_with(['-', '+'])) {
        // Both a sign and a letter for the south or west: which one is meant cannot be told.
        (true, true) => None,
        (true, false) => Some(format!("-{number}")),
        (false, _) => Some(number.to_owned()),
    }
}
