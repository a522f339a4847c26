//! Whoever checks a message and whoever reads it believe the same.

use proptest::prelude::*;
use proptest::sample::{Index, select};

use super::super::skim::skim;
use super::*;

/// What is done to a message before it is written.
#[derive(Debug, Clone)]
enum Spoil {
    /// A value becomes another.
    Replace(Index, Value),
    /// A member or an element goes.
    Remove(Index),
    /// An object gets a member.
    Insert(Index, &'static str, Value),
    /// A member is given the name of one of its elements.
    Singular(Index),
}

/// What is done to the text of a message.
#[derive(Debug, Clone)]
enum Blot {
    /// Members at the start of an object.
    Members(Index, &'static str),
    /// A member at the start of an object, of so many levels.
    Deep(Index, usize),
    /// Elements at the start of a list.
    Elements(Index, &'static str),
    /// Other bytes in place of one.
    Bytes(Index, &'static [u8]),
    /// The end is missing.
    Cut(Index),
    /// More than the message.
    Tail(&'static str),
}

const NAMES: &[&str] = &[
    "id",
    "x",
    "order",
    "orders",
    "items",
    "item",
    "fulfillments",
    "fulfillment",
    "price",
    "value",
    "ttl",
    "gps",
    "time",
    "timestamp",
    "category",
    "categories",
    "error",
    "message",
    "context",
    "transaction_id",
    "bap_url",
    "city",
    "rateable",
];

const MEMBERS: &[&str] = &[
    r#""id":"other","#,
    r#""id":null,"#,
    r#""\u0069d":"other","#,
    r#""x":1,"x":2,"#,
    r#""x":{"y":[{"z":1,"z":1}]},"#,
    r#""x":null,"y":null,"\u0079":0,"#,
    r#""x":1e999,"#,
    r#""x":-4.444444444444444e23,"y":18446744073709551616,"z":[true,false],"#,
    r#""x":"\ud800","#,
    r#""x":"\ud83d\ude00 \n","#,
    r#""\ud800":1,"#,
    r#""ttl":18446744073709551615,"#,
    r#""ttl":-9223372036854775808,"#,
    r#""context":{},"#,
    r#""message":{},"#,
    r#""error":null,"#,
    r#""error":{"code":"40002"},"#,
];

const ELEMENTS: &[&str] = &["null,", "{},", "[],", "\"\",", "1,", "{\"id\":\"1\",\"id\":\"1\"},", "{\"x\":1,\"x\":1},"];

/// One of each kind and form.
fn samples() -> Vec<Value> {
    vec![
        Value::Null,
        json!(""),
        json!("text"),
        json!("10"),
        json!("12.9% "),
        json!("true"),
        json!("PT10M"),
        json!("2026-02-01T10:00:00Z"),
        json!("2026-02-01 10:00"),
        json!("10:00"),
        json!("12.93,77.61"),
        json!("12.93° N, 77.61° E"),
        json!("line\nbreak"),
        json!("7e5e0a4f-6f3b-4c5b-8a53-1f6d0d3b2a11"),
        json!(7),
        json!(-7),
        json!(u64::MAX),
        json!(2.5),
        json!(true),
        json!([]),
        json!([null]),
        json!(["text"]),
        json!([{}]),
        json!({}),
        json!({"id": "1", "x": [null, {"y": 1.5}]}),
        json!({"code": 40002, "message": "taken"}),
    ]
}

fn values() -> impl Strategy<Value = Value> {
    select(samples())
}

fn spoil() -> impl Strategy<Value = Spoil> {
    let at = any::<Index>;
    prop_oneof![
        (at(), values()).prop_map(|(at, value)| Spoil::Replace(at, value)),
        at().prop_map(Spoil::Remove),
        (at(), select(NAMES), values()).prop_map(|(at, name, value)| Spoil::Insert(at, name, value)),
        at().prop_map(Spoil::Singular),
    ]
}

fn blot() -> impl Strategy<Value = Blot> {
    let at = any::<Index>;
    let bytes: Vec<&'static [u8]> = vec![b"", b"\xff", b"\"", b"{", b"}", b"0", b" ", b"\x01", b"null", b"\\u0000"];
    prop_oneof![
        4 => (at(), select(MEMBERS)).prop_map(|(at, members)| Blot::Members(at, members)),
        // From where the object stands it ends on either side of the limit.
        1 => (at(), 50..66_usize).prop_map(|(at, levels)| Blot::Deep(at, levels)),
        2 => (at(), select(ELEMENTS)).prop_map(|(at, elements)| Blot::Elements(at, elements)),
        1 => (at(), select(bytes)).prop_map(|(at, bytes)| Blot::Bytes(at, bytes)),
        1 => at().prop_map(Blot::Cut),
        1 => select(vec![" ", "\n", "x", "{}", "\u{feff}"]).prop_map(Blot::Tail),
    ]
}

/// The pointers of a value and of all it contains.
fn pointers(value: &Value, at: String, all: &mut Vec<String>) {
    match value {
        Value::Object(object) => object.iter().for_each(|(name, value)| pointers(value, format!("{at}/{name}"), all)),
        Value::Array(list) => {
            list.iter().enumerate().for_each(|(index, value)| pointers(value, format!("{at}/{index}"), all));
        }
        _ => {}
    }
    all.push(at);
}

fn spoiled(message: &mut Value, spoil: &Spoil) {
    let mut all = Vec::new();
    pointers(message, String::new(), &mut all);
    let (Spoil::Replace(at, _) | Spoil::Remove(at) | Spoil::Insert(at, ..) | Spoil::Singular(at)) = spoil;
    let pointer = at.get(&all).clone();
    let (parent, name) = pointer.rsplit_once('/').unwrap_or_default();
    match spoil {
        Spoil::Replace(_, value) => *message.pointer_mut(&pointer).unwrap() = value.clone(),
        Spoil::Remove(_) => match message.pointer_mut(parent).unwrap() {
            Value::Object(object) => drop(object.shift_remove(name)),
            Value::Array(list) => drop(name.parse().map(|index: usize| list.remove(index))),
            _ => {}
        },
        Spoil::Insert(_, name, value) => {
            if let Value::Object(object) = message.pointer_mut(&pointer).unwrap() {
                object.insert((*name).to_owned(), value.clone());
            }
        }
        Spoil::Singular(_) => {
            if let Some(Value::Object(object)) = message.pointer_mut(parent)
                && let Some(value) = object.shift_remove(name)
            {
                let singular = match name.strip_suffix("ies") {
                    Some(stem) => format!("{stem}y"),
                    None => name.trim_end_matches('s').to_owned(),
                };
                object.insert(singular, value);
            }
        }
    }
}

fn blotted(text: String, blot: &Blot) -> Vec<u8> {
    let mut bytes = text.into_bytes();
    let (at, mark, more) = match blot {
        Blot::Members(at, members) => (at, b'{', (*members).to_owned()),
        Blot::Deep(at, levels) => (at, b'{', format!("\"deep\":{}{},", "[".repeat(*levels), "]".repeat(*levels))),
        Blot::Elements(at, elements) => (at, b'[', (*elements).to_owned()),
        Blot::Bytes(at, other) => {
            let at = at.index(bytes.len());
            bytes.splice(at..=at, other.iter().copied());
            return bytes;
        }
        Blot::Cut(at) => {
            bytes.truncate(at.index(bytes.len()));
            return bytes;
        }
        Blot::Tail(tail) => {
            bytes.extend_from_slice(tail.as_bytes());
            return bytes;
        }
    };
    let places: Vec<usize> = (0..bytes.len()).filter(|place| bytes[*place] == mark).collect();
    if !places.is_empty() {
        let after = at.get(&places) + 1;
        bytes.splice(after..after, more.bytes());
        // What was empty has one comma too many now.
        let text = String::from_utf8(bytes).unwrap().replace(",}", "}").replace(",]", "]");
        bytes = text.into_bytes();
    }
    bytes
}

/// Of a text that is read, what is checked; of one that is refused, the same fault.
fn agree(body: &[u8], verb: Verb) -> Result<(), TestCaseError> {
    for reading in [Reading::Strict, Reading::Compat] {
        let read = read(body, verb, reading);
        let checked = check(body, verb, reading);
        let read = read.map(|Envelope { context, tolerated, .. }| Checked { context, tolerated });
        prop_assert_eq!(checked, read, "{} {:?}: {}", verb, reading, String::from_utf8_lossy(body));
    }
    Ok(())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2_000))]

    #[test]
    fn what_is_checked_is_what_is_read(
        verb in select(verbs().collect::<Vec<_>>()),
        other in select(verbs().collect::<Vec<_>>()),
        spoils in prop::collection::vec(spoil(), 0..4),
        blot in prop::option::of(blot()),
    ) {
        let mut sent = message(verb);
        for spoil in &spoils {
            spoiled(&mut sent, spoil);
        }
        let text = sent.to_string();
        let body = match &blot {
            Some(blot) => blotted(text, blot),
            None => text.into_bytes(),
        };
        agree(&body, verb)?;
        agree(&body, other)?;
    }

    /// The pass is worth nothing if it stops at what is sound.
    #[test]
    fn what_is_sound_is_not_read_twice(
        verb in select(verbs().collect::<Vec<_>>()),
        more in prop::collection::btree_map("x_[a-z\"\\\\é]{0,8}", values(), 0..40),
        spoils in prop::collection::vec(spoil(), 0..2),
    ) {
        let mut sent = message(verb);
        sent["message"].as_object_mut().unwrap().extend(more.clone());
        sent["context"].as_object_mut().unwrap().extend(more);
        for spoil in &spoils {
            spoiled(&mut sent, spoil);
        }
        let text = sent.to_string();
        let is_sound = read(text.as_bytes(), verb, Reading::Strict).is_ok_and(|envelope| envelope.error.is_none());
        let named_wrong = matches!(spoils.as_slice(), [Spoil::Insert(..)]);
        prop_assert!(!is_sound || named_wrong || skim(text.as_bytes(), verb.message_shape()).is_some(), "{}", text);
    }
}

#[test]
fn every_sample_in_every_place_is_checked_as_it_is_read() {
    let sent = message(Callback::OnConfirm);
    let mut all = Vec::new();
    pointers(&sent, String::new(), &mut all);
    for pointer in all {
        for sample in samples() {
            let mut spoiled = sent.clone();
            *spoiled.pointer_mut(&pointer).unwrap() = sample;
            agree(spoiled.to_string().as_bytes(), Callback::OnConfirm.into()).unwrap();
        }
    }
}

#[test]
fn a_fault_of_the_context_alone_is_settled_without_reading_the_body() {
    let mut sent = message(Callback::OnConfirm);
    sent["context"]["transaction_id"] = json!("t-1");
    sent["context"]["country"] = json!("IND");
    sent["context"]["location"] = Value::Null;
    let text = sent.to_string();
    assert!(skim(text.as_bytes(), Verb::from(Callback::OnConfirm).message_shape()).is_some());
    let checked = check(text.as_bytes(), Callback::OnConfirm.into(), Reading::Compat).unwrap();
    assert_eq!(checked.tolerated.len(), 2);
    assert_eq!(checked.context.country_code(), Some("IND"));
    assert_eq!(
        check(text.as_bytes(), Callback::OnConfirm.into(), Reading::Strict).unwrap_err().path,
        "context.country"
    );
}
