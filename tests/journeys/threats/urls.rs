//! Nothing is sent where the registry does not say, nor into a private network.

use beckn_health::network::identity::Role;
use beckn_health_platform::deps::Deps;
use beckn_health_platform::lambda::invoke;
use beckn_health_platform::store::table;
use beckn_health_protocol::registry::{SubscriberType, Subscription};
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::outpost::{Outpost, Tripwire, function, in_public, on_one_machine};
use beckn_health_tests::reply::Reply;
use beckn_health_tests::stranger::{Answer, Stranger};
use beckn_health_tests::{fresh_id, http};
use serde_json::{Value, json};
use std::sync::Arc;

#[tokio::test(flavor = "multi_thread")]
async fn a_callback_goes_where_the_registry_says() {
    let network = TestNetwork::start().await;
    let trap = Tripwire::set().await;
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    let port: u16 = bap.url().rsplit(':').next().unwrap().parse().unwrap();
    let evil = trap.port;
    let send = async |uri: &str| {
        let mut message = bap.message("select", fixture::selection(FIRST));
        message["context"]["bap_uri"] = json!(uri);
        (bap.send(&message).await, message)
    };
    for uri in [
        format!("http://127.0.0.1:{evil}"),
        format!("http://127.0.0.2:{port}"),
        format!("http://localhost:{port}"),
        format!("http://127.0.0.1.evil.example:{port}"),
        format!("http://evil.example:{port}"),
        "http://127.0.0.1".to_owned(),
        "http://127.0.0.1:0".to_owned(),
        format!("http://127.0.0.1:{port}0"),
        // The host stands behind the @.
        format!("http://127.0.0.1:{port}@127.0.0.1:{evil}"),
        format!("http://127.0.0.1%3A{port}@127.0.0.1:{evil}"),
        format!("http://evil.example@127.0.0.1:{port}"),
        format!("http://user:password@127.0.0.1:{port}"),
        format!("http://:password@127.0.0.1:{port}"),
        // It ends at the first of these.
        format!("http://127.0.0.1:{evil}#@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{evil}/@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{evil}?@127.0.0.1:{port}"),
        format!("http://127.0.0.1:{evil}\\@127.0.0.1:{port}"),
        // Other forms of an address that is not the registered one, though it may lead there.
        format!("http://[::1]:{port}"),
        format!("http://[::ffff:127.0.0.1]:{port}"),
        format!("http://[::ffff:7f00:1]:{port}"),
        format!("http://[::127.0.0.1]:{port}"),
        format!("http://[64:ff9b::7f00:1]:{port}"),
        format!("http://[fe80::1%25lo]:{port}"),
        format!("http://2130706434:{port}"),
        // No addresses of the web.
        format!("ftp://127.0.0.1:{port}"),
        format!("file://127.0.0.1:{port}/etc/passwd"),
        format!("ws://127.0.0.1:{port}"),
        format!("javascript://127.0.0.1:{port}/"),
        format!("//127.0.0.1:{port}"),
        format!("127.0.0.1:{port}"),
        "http://".to_owned(),
        "/".to_owned(),
        "\u{0}".to_owned(),
    ] {
        let (reply, _) = send(&uri).await;
        assert!(!reply.is_ack(), "{uri}");
        reply.nack(200, "30000", "context.bap_uri");
    }
    network.idle().await;
    assert!(bap.received().is_empty() && trap.touched() == 0);
    // Other spellings of the registered one, and other paths: the answer goes to the registered one alone.
    for uri in [
        format!("http://2130706433:{port}/"),
        format!("http://0x7f.1:{port}"),
        format!("http://127.0.0.1.:{port}/elsewhere?x=1#y"),
        format!("HTTP://127.0.0.1:{port}"),
        format!("https://127.0.0.1:{port}"),
    ] {
        let (reply, message) = send(&uri).await;
        reply.ack();
        bap.callback(&message).await;
    }
    assert!(bap.received().iter().all(|one| one.path == "/on_select"));
    assert_eq!(trap.touched(), 0);
}

/// The same with a name: dots, letters that look alike, and case.
#[tokio::test(flavor = "multi_thread")]
async fn a_name_is_the_registered_one_letter_by_letter() {
    let network = TestNetwork::start().await;
    let bap = Stranger::unregistered(&network, "bap.stranger.example", SubscriberType::Bap).await;
    let port: u16 = bap.url().rsplit(':').next().unwrap().parse().unwrap();
    let row = |url: String| Subscription { url: Some(url), ..bap.row() };
    network.register(&row(format!("http://b\u{fc}cher.localhost:{port}"))).await;
    let send = async |uri: &str| {
        let mut message = bap.message("search", json!({ "intent": {} }));
        message["context"]["bap_uri"] = json!(uri);
        bap.send(&message).await
    };
    for host in [
        "bucher.localhost",
        "b\u{fc}cher.localhost.",
        "xn--bcher-kva.localhost.",
        "b\u{fc}cher.lo\u{441}alhost",
        "b\u{fc}cher.localhost.evil.example",
        "evil.b\u{fc}cher.localhost",
        "b\u{fc}cher\u{3002}localhost\u{3002}",
        "xn--bcher-kvb.localhost",
        "127.0.0.1",
    ] {
        send(&format!("http://{host}:{port}")).await.nack(200, "30000", "context.bap_uri");
    }
    // One name in its two spellings.
    for host in ["b\u{fc}cher.localhost", "xn--bcher-kva.localhost", "B\u{dc}CHER.LOCALHOST", "bu\u{308}cher.localhost"]
    {
        send(&format!("http://{host}:{port}")).await.ack();
    }
    // A row without a usable address has none that a message could name.
    network.register(&row("nowhere".to_owned())).await;
    network.advance(jiff::SignedDuration::from_secs(300));
    for uri in ["nowhere", "", "elsewhere", "http://127.0.0.1"] {
        let reply = send(uri).await;
        assert!(!reply.is_ack(), "{uri}");
        reply.nack(200, "30000", "context.bap_uri");
    }
}

/// Addresses of the tripwire, which is on 127.0.0.1, and of others that no public network has.
fn private(port: u16) -> Vec<String> {
    let mut hosts: Vec<String> = [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "127.0.0.1.",
        "0.0.0.0",
        "10.0.0.1",
        "100.64.0.1",
        "169.254.169.254",
        "172.16.0.1",
        "192.168.0.1",
        "198.18.0.1",
        "255.255.255.255",
        "[::]",
        "[::1]",
        "[::127.0.0.1]",
        "[::ffff:127.0.0.1]",
        "[::ffff:7f00:1]",
        "[64:ff9b::127.0.0.1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001:0:7f00:1::1]",
        "[fc00::1]",
        "[fe80::1]",
        "[fec0::1]",
        "[ff02::1]",
        "[fd00:ec2::254]",
        // Names, which are looked at once they are resolved.
        "localhost",
        "LOCALHOST",
        "localhost.",
        "ip6-localhost",
    ]
    .map(str::to_owned)
    .into();
    if let Ok(name) = std::fs::read_to_string("/etc/hostname") {
        hosts.push(name.trim().to_owned());
    }
    hosts.retain(|host| !host.is_empty());
    hosts.into_iter().map(|host| format!("https://{host}:{port}/beckn")).collect()
}

/// A provider of this URL is asked by the BAP of these dependencies.
async fn ask(network: &TestNetwork, outpost: &Outpost, place: usize, url: &str) -> Reply {
    let id = format!("bpp-{place}.example");
    let bpp = Stranger::unregistered(network, &id, SubscriberType::Bpp).await;
    network.register(&Subscription { url: Some(url.to_owned()), ..bpp.row() }).await;
    let body = json!({ "context": { "bpp_id": id }, "message": fixture::selection(FIRST) });
    let request = http().post(format!("{}/client/select", outpost.url())).header("content-type", "application/json");
    Reply::read(request.body(body.to_string()).send().await.unwrap()).await
}

#[tokio::test(flavor = "multi_thread")]
async fn nothing_is_sent_into_a_private_network() {
    let network = TestNetwork::start().await;
    let trap = Tripwire::set().await;
    let outpost = Outpost::open("bap-select", in_public(&network, Role::Bap)).await;
    let mut urls = private(trap.port);
    urls.extend([
        format!("http://127.0.0.1:{}", trap.port),
        format!("http://public.example:{}", trap.port),
        format!("https://user@127.0.0.1:{}", trap.port),
        format!("https://public.example@127.0.0.1:{}", trap.port),
        format!("ftp://127.0.0.1:{}", trap.port),
        "file:///etc/passwd".to_owned(),
        "unix:/var/run/docker.sock".to_owned(),
    ]);
    for (place, url) in urls.iter().enumerate() {
        let reply = ask(&network, &outpost, place, url).await;
        assert_eq!(reply.status, 502, "{url}: {}", reply.body);
        assert_eq!(trap.touched(), 0, "{url}");
    }
    // The trap works: where private addresses are allowed, these lead to it.
    let outpost = Outpost::open("bap-select", on_one_machine(&network, Role::Bap)).await;
    let before = trap.touched();
    for host in ["127.0.0.1", "localhost", "2130706433"] {
        let place = urls.len() + before;
        assert_eq!(ask(&network, &outpost, place, &format!("https://{host}:{}", trap.port)).await.status, 502);
    }
    assert!(trap.touched() > before, "{} connections", trap.touched());
}

/// The responder's delivery has the same policy: what it refuses is refused for good.
#[tokio::test(flavor = "multi_thread")]
async fn a_callback_is_not_delivered_into_a_private_network() {
    let network = TestNetwork::start().await;
    let trap = Tripwire::set().await;
    let deps: Arc<Deps> = Arc::new(in_public(&network, Role::Bpp));
    for (place, url) in [
        format!("https://127.0.0.1:{}", trap.port),
        format!("https://[::ffff:7f00:1]:{}", trap.port),
        format!("http://localhost:{}", trap.port),
    ]
    .into_iter()
    .enumerate()
    {
        let bap = Stranger::unregistered(&network, &format!("bap-{place}.example"), SubscriberType::Bap).await;
        network.register(&Subscription { url: Some(url.clone()), ..bap.row() }).await;
        let mut message = bap.message("init", fixture::booking([FIRST, fixture::SECOND, fixture::THIRD][place]));
        message["context"]["bap_uri"] = json!(url);
        let text = |value: &str| json!({ "stringValue": value, "dataType": "String" });
        let until = (network.now() + jiff::SignedDuration::from_mins(10)).to_string();
        let event = json!({ "Records": [{
            "messageId": fresh_id(), "receiptHandle": "r", "eventSource": "aws:sqs", "body": message.to_string(),
            "attributes": { "ApproximateReceiveCount": "1" },
            "messageAttributes": { "subscriber_id": text(bap.id.as_str()), "expires_at": text(&until) }
        }] });
        let answer = invoke(&function("bpp-on-init"), deps.clone(), event).await.unwrap();
        assert_eq!(answer["batchItemFailures"], json!([]), "{url}");
        let id = message["context"]["message_id"].as_str().unwrap();
        assert_eq!(network.rows().await.count_with(table::REPLIES, &[id, "refused"]), 1, "{url}");
    }
    assert_eq!((trap.touched(), network.queued().await), (0, 0));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_redirect_leads_nowhere() {
    let network = TestNetwork::start().await;
    let trap = Tripwire::set().await;
    let app = App::of(&network);
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    // The test's own process holds it: it lives as long.
    let elsewhere: &'static str = Box::leak(format!("http://127.0.0.1:{}/steal", trap.port).into_boxed_str());
    bpp.answer(Answer::Redirect(elsewhere));
    let reply = app.send("select", json!({ "bpp_id": bpp.id }), fixture::selection(FIRST)).await;
    assert_eq!((reply.status, &reply.body["error"]["code"]), (502, &json!("31001")));
    // The gateway, which tries again and is redirected again.
    let sent = app.accepted("search", json!({}), json!({ "intent": {} })).await;
    bpp.heard(2).await;
    network.skip_to_retry(beckn_health_functions::gateway::broadcast::QUEUE).await;
    bpp.answer(Answer::Ack);
    network.settle(beckn_health_functions::gateway::broadcast::QUEUE).await;
    // A consumer that is called back.
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.answer_next([Answer::Redirect(elsewhere)]);
    bap.send(&bap.message("select", fixture::selection(FIRST))).await.ack();
    bap.heard(1).await;
    network.settle(beckn_health_platform::deliver::CALLBACKS).await;
    assert_eq!(bap.received().len(), 2, "tried again at the same place");
    assert_eq!(trap.touched(), 0);
    assert_ne!(app.transaction(&sent.transaction_id, "").await.body, Value::Null);
}
