//! Names that run into one another when they are joined without care.

use beckn_health_protocol::model::{City, Country, Location};
use beckn_health_protocol::registry::{SubscriberType, Subscription};
use beckn_health_tests::fixture::{self, FIRST, SECOND, THIRD};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use jiff::SignedDuration;
use serde_json::{Value, json};

use super::JSON;

/// The registered consumer of this name, its key under this id.
async fn joined(network: &TestNetwork, id: &str, key_id: &str, seed: u8) -> Stranger {
    let stranger = Stranger::unregistered(network, id, SubscriberType::Bap).await.with_key(key_id, [seed; 32]);
    network.register(&stranger.row()).await;
    stranger
}

#[tokio::test(flavor = "multi_thread")]
async fn a_name_with_a_bar_is_nobodys() {
    let network = TestNetwork::start().await;
    let first = joined(&network, "a|b", "c", 1).await;
    let second = joined(&network, "a", "b|c", 2).await;
    for bap in [&first, &second] {
        // Both write `a|b|c|ed25519`.
        let message = bap.message("search", json!({ "intent": {} }));
        assert!(bap.sign(message.to_string().as_bytes()).contains("\"a|b|c|ed25519\""));
        bap.send(&message).await.nack(401, "30016", "");
    }
    // Quotes and backslashes would end the parameter elsewhere.
    for (place, id) in ["a\"b", "a\\", "a\",x=\"b", "b\u{e9}.example", "b\u{430}p.example"].into_iter().enumerate() {
        let bap = joined(&network, id, "c", 10 + place as u8).await;
        bap.send(&bap.message("search", json!({ "intent": {} }))).await.nack(401, "30016", "");
    }
    assert_eq!(network.queued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn names_with_the_marks_of_our_keys_stay_apart() {
    let network = TestNetwork::start().await;
    let names = [
        ("a#b", "c"),
        ("a", "b#c"),
        ("a#b#c", "1"),
        ("a b", "c"),
        ("ab", "c"),
        ("A", "1"),
        ("a:1", "1"),
        ("a,b", "c"),
        ("a;b=c", "*"),
        ("*", "*"),
        ("%61", "1"),
    ];
    let mut baps = Vec::new();
    for (place, (id, key_id)) in names.into_iter().enumerate() {
        baps.push(joined(&network, id, key_id, 1 + place as u8).await);
    }
    let message = |bap: &Stranger| bap.message("search", json!({ "intent": {} }));
    for bap in &baps {
        bap.ask(&message(bap)).await;
    }
    // Everybody's key under everybody else's name, all of them remembered by now.
    for signer in &baps {
        for victim in baps.iter().filter(|victim| (&victim.id, &victim.key_id) != (&signer.id, &signer.key_id)) {
            let bytes = message(victim).to_string().into_bytes();
            let header = signer.sign(&bytes);
            let posing = header.replacen(
                &format!("keyId=\"{}|{}|", signer.id, signer.key_id),
                &format!("keyId=\"{}|{}|", victim.id, victim.key_id),
                1,
            );
            let reply = signer.post("/bpp/search", &[JSON, ("authorization", &posing)], bytes).await;
            assert_eq!(reply.status, 401, "{} as {}", signer.id, victim.id);
        }
    }
}

/// What is stored under a message id and its sender.
#[tokio::test(flavor = "multi_thread")]
async fn messages_of_names_that_run_together_stay_apart() {
    let network = TestNetwork::start().await;
    let pairs = [("b#c.example", "a", FIRST), ("c.example", "a#b", SECOND), ("example", "a#b#c.example", THIRD)];
    let mut orders = Vec::new();
    for (place, (id, message_id, slot)) in pairs.into_iter().enumerate() {
        let bap = joined(&network, id, "k", 1 + place as u8).await;
        let mut message = bap.message_in("t", "init", fixture::booking(slot));
        message["context"]["message_id"] = json!(message_id);
        message["message"]["order"]["billing"]["name"] = json!(id);
        let answer = bap.ask(&message).await;
        assert_eq!(answer["error"], Value::Null, "{id}");
        assert_eq!(answer["message"]["order"]["billing"]["name"], id);
        orders.push(answer["message"]["order"]["id"].as_str().unwrap().to_owned());
        // The very message again: its own answer, not that of another.
        bap.send(&message).await.ack();
        let again = bap.callbacks("on_init", message_id, 2).await.remove(1).json();
        assert_eq!(again, answer);
    }
    orders.sort();
    orders.dedup();
    assert_eq!(orders.len(), 3);
}

/// One participant's names, made up so that joined they begin as another's place does.
#[tokio::test(flavor = "multi_thread")]
async fn a_place_is_not_taken_by_a_long_name() {
    let network = TestNetwork::start().await;
    let place = |country: &str, city: &str| Location {
        country: Some(Country { code: Some(country.to_owned()), ..Country::default() }),
        city: Some(City { code: Some(city.to_owned()), ..City::default() }),
        ..Location::default()
    };
    let honest = Stranger::unregistered(&network, "honest.example", SubscriberType::Bpp).await;
    let row = |bpp: &Stranger, domain: &str, location: Option<Location>| Subscription {
        domain: Some(domain.to_owned()),
        location,
        ..bpp.row()
    };
    network.register(&row(&honest, "dhp:0.7.3", Some(place("IND", "std:080")))).await;
    let mut takers = Vec::new();
    for (number, (domain, location)) in [
        ("dhp:0.7.3#IND#std:080", None),
        ("dhp:0.7.3#IND", Some(place("std:080", "x"))),
        ("dhp:0.7.3#IND#std:080#", Some(place("IND", "std:080"))),
        ("dhp:0.7.3", Some(place("IND#std:080", "x"))),
        ("dhp:0.7.3", Some(place("IND", "std:080#x"))),
    ]
    .into_iter()
    .enumerate()
    {
        let taker = Stranger::unregistered(&network, &format!("taker-{number}.example"), SubscriberType::Bpp).await;
        network.register(&row(&taker, domain, location)).await;
        takers.push(taker);
    }
    network.advance(SignedDuration::from_secs(300));
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let mut search = bap.message("search", json!({ "intent": {} }));
    let context = search["context"].as_object_mut().unwrap();
    context.shift_remove("bpp_id");
    context.shift_remove("bpp_uri");
    search["context"]["location"] = json!({ "country": { "code": "IND" }, "city": { "code": "std:080" } });
    bap.send_bytes("/gateway/search", search.to_string().into_bytes()).await.ack();
    honest.heard(1).await;
    network.idle().await;
    assert!(takers.iter().all(|taker| taker.received().is_empty()));
}
