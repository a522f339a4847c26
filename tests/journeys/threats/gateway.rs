//! A gateway's signature is a gateway's, whatever the header is called.

use beckn_health::network::identity::Role;
use beckn_health_protocol::registry::{SubscriberType, Subscription, SubscriptionStatus};
use beckn_health_tests::app::App;
use beckn_health_tests::fixture;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::Stranger;
use jiff::SignedDuration;
use serde_json::json;

use super::JSON;

const CURRENT: &str = "x-gateway-authorization";
const LEGACY: &str = "proxy-authorization";

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_no_gateway_cannot_sign_as_one() {
    let network = TestNetwork::start().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let gateway = Stranger::join(&network, "bg.stranger.example", SubscriberType::Bg).await;
    let bytes = bap.message("search", json!({ "intent": {} })).to_string().into_bytes();
    let authorization = bap.sign(&bytes);
    let mut posing = Vec::new();
    for (id, role, status) in [
        ("bap.example", SubscriberType::Bap, SubscriptionStatus::Subscribed),
        ("bpp.example", SubscriberType::Bpp, SubscriptionStatus::Subscribed),
        ("registry.example", SubscriberType::Breg, SubscriptionStatus::Subscribed),
        ("left.example", SubscriberType::Bg, SubscriptionStatus::Unsubscribed),
        ("waiting.example", SubscriberType::Bg, SubscriptionStatus::UnderSubscription),
        ("over.example", SubscriberType::Bg, SubscriptionStatus::Expired),
    ] {
        let stranger = Stranger::unregistered(&network, id, role).await;
        network.register(&Subscription { status: Some(status), ..stranger.row() }).await;
        posing.push((id.to_owned(), stranger.sign(&bytes)));
    }
    let unknown = Stranger::unregistered(&network, "unknown.example", SubscriberType::Bg).await;
    let now = network.now().as_second();
    let ours = network.id(Role::Gateway);
    posing.extend([
        ("nobody".to_owned(), unknown.sign(&bytes)),
        ("the sender itself".to_owned(), authorization.clone()),
        ("of another message".to_owned(), gateway.sign(b"{}")),
        ("expired".to_owned(), gateway.sign_between(&bytes, now - 400, now - 1)),
        ("too long".to_owned(), gateway.sign_between(&bytes, now, now + 3_661)),
        ("under the name of our gateway".to_owned(), gateway.sign(&bytes).replace("bg.stranger.example", &ours)),
        ("empty".to_owned(), String::new()),
        ("a password".to_owned(), "Basic dXNlcjpwYXNz".to_owned()),
    ]);
    let good = gateway.sign(&bytes);
    let send = async |gateways: &[(&str, &str)]| {
        let headers = [&[JSON, ("authorization", authorization.as_str())], gateways].concat();
        bap.post("/bpp/search", &headers, bytes.clone()).await
    };
    for (what, forged) in &posing {
        // Alone under either name, and beside a good one under the other.
        for headers in [
            vec![(CURRENT, forged.as_str())],
            vec![(LEGACY, forged.as_str())],
            vec![(CURRENT, forged.as_str()), (LEGACY, good.as_str())],
            vec![(CURRENT, good.as_str()), (LEGACY, forged.as_str())],
        ] {
            let reply = send(&headers).await;
            assert_eq!(reply.status, 401, "{what}: {}", reply.body);
            assert!(reply.header("proxy-authenticate").is_some(), "{what}");
            assert_eq!(reply.header("www-authenticate"), None, "{what}: not the sender is asked");
        }
    }
    // The gateway in the sender's place, and the sender in the gateway's.
    let swapped = [JSON, ("authorization", good.as_str()), (CURRENT, authorization.as_str())];
    assert_eq!(bap.post("/bpp/search", &swapped, bytes.clone()).await.status, 401);
    let as_sender = [JSON, ("authorization", good.as_str())];
    bap.post("/bpp/search", &as_sender, bytes.clone()).await.nack(200, "30000", "context.bap_id");
    network.idle().await;
    assert!(bap.received().is_empty());
    for headers in
        [vec![(CURRENT, good.as_str())], vec![(LEGACY, good.as_str())], vec![(CURRENT, good.as_str()), (LEGACY, &good)]]
    {
        send(&headers).await.ack();
    }
    // A gateway that was taken out of the registry stops being one.
    network.register(&Subscription { status: Some(SubscriptionStatus::Unsubscribed), ..gateway.row() }).await;
    network.advance(SignedDuration::from_secs(240));
    network.advance(SignedDuration::from_secs(55));
    let late = gateway.sign(&bytes);
    network.advance(SignedDuration::from_secs(5));
    let headers = [JSON, ("authorization", &bap.sign(&bytes)), (CURRENT, &late)];
    assert_eq!(bap.post("/bpp/search", &headers, bytes.clone()).await.status, 401);
}

/// At our BAP as well: an answer that came through somebody who is no gateway.
#[tokio::test(flavor = "multi_thread")]
async fn an_answer_through_no_gateway_is_refused() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let gateway = Stranger::join(&network, "bg.stranger.example", SubscriberType::Bg).await;
    let sent = app.accepted("search", json!({}), json!({ "intent": {} })).await;
    bpp.heard(1).await;
    network.idle().await;
    let mut answer = bpp.message_in(&sent.transaction_id, "on_search", json!({ "catalog": { "providers": [] } }));
    answer["context"]["message_id"] = json!(sent.message_id);
    let bytes = answer.to_string().into_bytes();
    let authorization = bpp.sign(&bytes);
    for name in [CURRENT, LEGACY] {
        for forged in [bpp.sign(&bytes), gateway.sign(b"{}"), gateway.sign(&bytes).replace("|k1|", "|k2|")] {
            let headers = [JSON, ("authorization", authorization.as_str()), (name, forged.as_str())];
            let reply = bpp.post("/bap/on_search", &headers, bytes.clone()).await;
            reply.nack(401, "30016", "");
            assert!(reply.header("proxy-authenticate").is_some());
        }
    }
    let shown = app.transaction(&sent.transaction_id, "").await.body;
    assert_eq!(
        shown["messages"].as_array().unwrap().iter().filter(|one| one["peer"] == "bpp.stranger.example").count(),
        0
    );
    let headers = [JSON, ("authorization", authorization.as_str()), (CURRENT, &gateway.sign(&bytes))];
    bpp.post("/bap/on_search", &headers, bytes).await.ack();
    assert_eq!(fixture::items(&answer), Vec::<String>::new());
}
