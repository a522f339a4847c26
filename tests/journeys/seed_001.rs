//! The published consultation example (seed 001): every message of it is taken and answered sensibly.
//!
//! The messages are read from beside the project and are absent elsewhere. Sent as they stand but for
//! the addresses, which belong to others: those of the test take their place.

use std::collections::BTreeMap;
use std::path::Path;

use beckn_health::network::identity::Role;
use beckn_health_platform::store::transactions::{Sent, Transactions};
use beckn_health_protocol::action::Action;
use beckn_health_protocol::dialect::Reading;
use beckn_health_protocol::ids::{MessageId, TransactionId};
use beckn_health_tests::fixture;
use beckn_health_tests::network::{Setup, TestNetwork};
use beckn_health_tests::stranger::Stranger;
use jiff::Timestamp;
use serde_json::{Value, json};

/// One JSON block: its text and what it says.
struct Block {
    text: String,
    json: Value,
}

impl Block {
    fn action(&self) -> &str {
        self.json["context"]["action"].as_str().unwrap()
    }

    /// Whether a consumer platform sends it. One `on_select` is published with the action of its request.
    fn is_request(&self) -> bool {
        !self.action().starts_with("on_") && self.json["message"]["order"]["quote"].is_null()
    }

    fn at(&self) -> Timestamp {
        self.json["context"]["timestamp"].as_str().unwrap().parse().unwrap()
    }
}

/// The blocks, or `None` (and a word about it) when the seeds are not here.
fn blocks() -> Option<Vec<Block>> {
    let seeds = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../shared/seeds");
    let found = std::fs::read_dir(&seeds).ok().and_then(|mut entries| {
        entries.find_map(|entry| {
            let path = entry.ok()?.path();
            path.file_name()?.to_str()?.starts_with("001").then_some(path)
        })
    });
    let Some(path) = found else {
        println!("skipped: seed 001 is not beside the project");
        return None;
    };
    let text = std::fs::read_to_string(path).unwrap();
    let blocks = text.split("```json\n").skip(1).map(|rest| rest.split("```").next().unwrap());
    let blocks: Vec<Block> =
        blocks.map(|text| Block { text: text.to_owned(), json: serde_json::from_str(text).unwrap() }).collect();
    assert_eq!(blocks.len(), 14, "the seed has fourteen messages");
    Some(blocks)
}

/// The subscriber a published id stands for: a URL stands for its host.
fn host(id: &str) -> &str {
    let rest = id.split("://").last().unwrap();
    rest.split('/').next().unwrap()
}

/// The block with `ours` for the addresses of the network's side and `theirs` for the stranger's URL.
fn readdressed(block: &Block, ours: (&str, &str, &str), their_uri: &str, their_url: &str) -> Vec<u8> {
    let context = &block.json["context"];
    let mut text = block.text.clone();
    let mut replace = |name: &str, to: &str| {
        if let Some(from) = context[name].as_str() {
            let (quoted, to) = (format!("\"{from}\""), format!("\"{to}\""));
            assert!(text.contains(&quoted));
            text = text.replace(&quoted, &to);
        }
    };
    let (id_name, id, uri) = ours;
    // A published id that is a URL stays one, so that the fault in it is met.
    let url_form = context[id_name].as_str().is_some_and(|id| id.contains("://"));
    replace(&id_name.replace("_id", "_uri"), uri);
    replace(id_name, &if url_form { format!("https://{id}") } else { id.to_owned() });
    replace(their_uri, their_url);
    text.into_bytes()
}

async fn network_at(block: &Block, reading: Reading) -> TestNetwork {
    TestNetwork::with(Setup { now: block.at(), reading, ..Setup::default() }).await
}

#[tokio::test(flavor = "multi_thread")]
async fn every_request_is_acknowledged_and_answered() {
    let Some(blocks) = blocks() else { return };
    let requests: Vec<&Block> = blocks.iter().filter(|block| block.is_request()).collect();
    let actions: Vec<&str> = requests.iter().map(|block| block.action()).collect();
    assert_eq!(actions, ["search", "select", "init", "confirm", "status", "update", "support"]);
    let network = network_at(requests[0], Reading::Compat).await;
    let (bpp, uri) = (network.id(Role::Bpp), format!("{}/bpp", network.url()));
    let mut order = Value::Null;
    // Each example names its own consumer platform.
    let mut baps = BTreeMap::new();
    for block in &requests {
        let id = host(block.json["context"]["bap_id"].as_str().unwrap());
        if !baps.contains_key(id) {
            baps.insert(id, Stranger::bap(&network, id).await);
        }
    }
    for block in requests {
        network.set(block.at());
        let bap = &baps[host(block.json["context"]["bap_id"].as_str().unwrap())];
        let bytes = readdressed(block, ("bpp_id", &bpp, &uri), "bap_uri", &bap.url());
        let sent: Value = serde_json::from_slice(&bytes).unwrap();
        assert_eq!(sent["message"], block.json["message"]);
        let action = block.action();
        let reply = bap.send_bytes(&format!("/bpp/{action}"), bytes).await;
        assert!(reply.is_ack(), "{action}: {}", reply.body);
        let answer = bap.callback(&block.json).await;
        for same in ["transaction_id", "message_id"] {
            assert_eq!(answer["context"][same], block.json["context"][same], "{action}");
        }
        let found = &answer["message"]["order"];
        match action {
            "search" => assert_eq!(fixture::items(&answer), ["cons-01", "cons-01-tele"]),
            "select" => {
                assert_eq!(
                    (&found["provider"]["id"], &found["items"][0]["id"]),
                    (&json!(fixture::HEART), &json!("cons-01"))
                );
                assert_eq!(found["quote"]["price"]["value"], "690");
                assert!(found["fulfillments"][0]["id"].as_str().unwrap().starts_with("cons-01@20230525T"));
            }
            "init" => {
                assert_eq!(found["fulfillments"][0]["state"]["descriptor"]["code"], "slot-booked");
                assert_eq!(found["billing"], block.json["message"]["order"]["billing"]);
                let customer = &block.json["message"]["order"]["fulfillments"][0]["customer"];
                assert_eq!(&found["fulfillments"][0]["customer"], customer);
                order = found["id"].clone();
            }
            "confirm" => {
                assert_eq!(found["fulfillments"][0]["state"]["descriptor"]["code"], "slot-confirmed");
                assert_eq!((&found["id"], &found["payments"][0]["status"]), (&order, &json!("NOT-PAID")));
            }
            _ => assert_eq!(answer["error"]["code"], "30010", "{action}: the example's order is not one of ours"),
        }
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn the_strict_reading_names_the_first_fault() {
    let Some(blocks) = blocks() else { return };
    let requests: Vec<&Block> = blocks.iter().filter(|block| block.is_request()).collect();
    let network = network_at(requests[0], Reading::Strict).await;
    let (bpp, uri) = (network.id(Role::Bpp), format!("{}/bpp", network.url()));
    for block in requests {
        network.set(block.at());
        let bap = Stranger::bap(&network, host(block.json["context"]["bap_id"].as_str().unwrap())).await;
        let bytes = readdressed(block, ("bpp_id", &bpp, &uri), "bap_uri", &bap.url());
        let path = match block.action() {
            "status" => "context.bap_id",
            "update" => "context.core_version",
            _ => "context.message_id",
        };
        bap.send_bytes(&format!("/bpp/{}", block.action()), bytes).await.nack(200, "30000", path);
    }
    assert_eq!(network.queued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn every_callback_is_taken_and_kept_as_it_came() {
    let Some(blocks) = blocks() else { return };
    let callbacks: Vec<&Block> = blocks.iter().filter(|block| !block.is_request()).collect();
    assert_eq!(callbacks.len(), 7);
    let network = network_at(callbacks[0], Reading::Compat).await;
    let (bap, uri) = (network.id(Role::Bap), format!("{}/bap", network.url()));
    let context = &callbacks[0].json["context"];
    let bpp = Stranger::bpp(&network, host(context["bpp_id"].as_str().unwrap())).await;
    let text = |name: &str| context[name].as_str().unwrap();
    let transaction = TransactionId::parse(text("transaction_id")).unwrap();
    let transactions = Transactions::new(network.role(Role::Bap).tables.clone());
    for block in callbacks {
        let name = block.action().trim_start_matches("on_");
        // The example's requests, as if our BAP had sent them.
        let action: Action = name.parse().unwrap();
        let sent = Sent {
            action,
            message_id: MessageId::parse(text("message_id")).unwrap(),
            body: b"{}".to_vec(),
            at: network.now(),
            to: bpp.id.to_string(),
            outcome: "ACK".to_owned(),
            milliseconds: None,
        };
        transactions.begin(&transaction, &sent, Some(&bpp.id), None).await.unwrap();
        let bytes = readdressed(block, ("bap_id", &bap, &uri), "bpp_uri", &bpp.url());
        let reply = bpp.send_bytes(&format!("/bap/on_{name}"), bytes.clone()).await;
        assert!(reply.is_ack(), "on_{name}: {}", reply.body);
        let exchanged = transactions.exchanged(&transaction).await.unwrap();
        assert!(exchanged.received.iter().any(|one| one.body == bytes), "on_{name}");
    }
}
