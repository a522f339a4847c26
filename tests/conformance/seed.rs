//! The consultation messages the design started from.

use beckn_health_protocol::action::Verb;
use beckn_health_protocol::dialect::{self, Reading};
use serde_json::{Value, json};

use crate::{published, rewriting};

const FILE: &str = "seeds/001_ed59d7ed5b446d63.txt";

/// For each block its heading and what the compat reading settles in it, in the order in which it is found;
/// the strict reading refuses the first.
const BLOCKS: &[(&str, &[&str])] = &[
    ("search", &["context.message_id"]),
    (
        "on_search",
        &[
            "context.message_id",
            "message.catalog.providers[0].fulfillments[0].agent.person.creds",
            "message.catalog.providers[0].fulfillments[1].agent.person.creds",
            "message.catalog.providers[0].fulfillments[2].agent.person.creds",
            "message.catalog.providers[0].fulfillments[3].agent.person.creds",
        ],
    ),
    ("select", &["context.message_id"]),
    ("on_select", &["context.action", "context.message_id", "message.order.fulfillments[0].agent.person.creds"]),
    ("init", &["context.message_id"]),
    ("on_init", &["context.message_id", "message.order.fulfillments[0].agent.person.creds"]),
    ("confirm", &["context.message_id"]),
    ("on_confirm", &["context.message_id", "message.order.fulfillments[0].agent.person.creds"]),
    (
        "status",
        &[
            "context.bap_id",
            "context.transaction_id",
            "context.message_id",
            "context.bpp_id",
            "context.bpp_uri",
            "context.location.city",
            "context.location.country",
        ],
    ),
    ("on_status", &["context.message_id", "message.order.fulfillments[0].agent.person.creds"]),
    (
        "update",
        &[
            "context.core_version",
            "context.country",
            "context.city",
            "context.bap_id",
            "context.bpp_id",
            "context.transaction_id",
            "context.message_id",
        ],
    ),
    ("on_update", &["context.message_id", "message.order.fulfillments[0].agent.person.creds"]),
    ("support", &["context.message_id"]),
    ("on_support", &["context.message_id"]),
];

/// The JSON blocks of the text, each with the message its heading names.
fn blocks(text: &str) -> Vec<(Verb, Value)> {
    let mut found = Vec::new();
    let mut verb = None;
    let mut lines = text.lines();
    while let Some(line) = lines.next() {
        if line.starts_with('#') {
            verb = line.split('`').nth(1).and_then(|name| name.parse().ok());
        } else if line.trim() == "```json" {
            let block: Vec<&str> = lines.by_ref().take_while(|line| line.trim() != "```").collect();
            let verb = verb.unwrap_or_else(|| panic!("a block under a heading that names no message: {}", block[1]));
            found.push((verb, serde_json::from_str(&block.join("\n")).unwrap()));
        }
    }
    found
}

#[test]
fn every_block_is_accepted_in_compat_and_survives() {
    let Some(text) = published::text(FILE) else { return };
    let blocks = blocks(&text);
    assert_eq!(
        blocks.iter().map(|(verb, _)| verb.as_str()).collect::<Vec<_>>(),
        BLOCKS.iter().map(|(name, _)| *name).collect::<Vec<_>>()
    );
    for ((verb, mut message), (_, settled)) in blocks.into_iter().zip(BLOCKS) {
        let unknown = rewriting::add_unknown(&mut message);
        let (envelope, written) =
            rewriting::rewritten(&message, verb).unwrap_or_else(|fault| panic!("{verb}: {fault}"));
        assert_eq!(envelope.context.action, verb.as_str());
        let found: Vec<&str> = envelope.tolerated.iter().map(|tolerated| tolerated.path.as_str()).collect();
        assert_eq!(found, *settled, "{verb}");
        assert_eq!(rewriting::count_unknown(&written), unknown, "{verb}: unknown fields");
        assert_eq!(rewriting::lost(&message, &written, settled), Vec::<String>::new(), "{verb}");
    }
    eprintln!("{} blocks of the seed accepted in compat", BLOCKS.len());
}

#[test]
fn every_block_is_refused_in_strict_with_the_place() {
    let Some(text) = published::text(FILE) else { return };
    for ((verb, message), (_, settled)) in blocks(&text).into_iter().zip(BLOCKS) {
        let fault = dialect::read(message.to_string().as_bytes(), verb, Reading::Strict)
            .expect_err(&format!("{verb} is read strictly"));
        assert_eq!(fault.path, settled[0], "{verb}: {fault}");
        assert!(!fault.message.is_empty());
    }
}

/// The context hides what is wrong further down; with a sound one the strict reading names that.
#[test]
fn every_body_is_refused_in_strict_with_the_place() {
    let Some(text) = published::text(FILE) else { return };
    for ((verb, mut message), (_, settled)) in blocks(&text).into_iter().zip(BLOCKS) {
        message["context"] = json!({
            "domain": "dhp:0.7.3", "action": verb.as_str(), "version": "1.1.0",
            "bap_id": "bap.example", "bap_uri": "https://bap.example", "bpp_id": "bpp.example", "bpp_uri": "https://bpp.example",
            "transaction_id": "5e55a9e0-0000-4000-8000-000000000001", "message_id": "5e55a9e0-0000-4000-8000-000000000002",
            "timestamp": "2026-11-23T04:00:00Z", "ttl": "PT10M",
        });
        let read = dialect::read(message.to_string().as_bytes(), verb, Reading::Strict);
        let found = read.as_ref().err().map(|fault| fault.path.as_str());
        let expected = settled.iter().find(|path| path.starts_with("message.")).copied();
        assert_eq!(found, expected, "{verb}");
    }
}
