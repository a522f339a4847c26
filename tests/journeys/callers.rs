//! Who calls the client API, and what they see.

use beckn_health::network::callers::Callers;
use beckn_health::network::identity::Role;
use beckn_health::network::{Config, Network, StartError};
use beckn_health_functions::bap::{search, transaction};
use beckn_health_platform::clock::ManualClock;
use beckn_health_platform::function::Function;
use beckn_health_platform::lambda::invoke;
use beckn_health_protocol::dialect::Reading;
use beckn_health_tests::app::{Accepted, App};
use beckn_health_tests::fixture::{self, FIRST};
use beckn_health_tests::network::{Setup, TestNetwork};
use beckn_health_tests::reply::Reply;
use beckn_health_tests::stranger::Stranger;
use beckn_health_tests::{fresh_id, http};
use serde_json::{Value, json};
use std::sync::Arc;

const ASHA: &str = "token-of-asha";
const RAVI: &str = "token-of-ravi";

/// A network with two callers.
async fn network() -> TestNetwork {
    let callers = Callers::parse(&format!("asha={ASHA},ravi={RAVI}")).unwrap();
    TestNetwork::with(Setup { callers: Some(callers), ..Setup::default() }).await
}

/// Asserts that a transaction is as unknown as one that nobody ever began.
async fn unknown(app: &App, transaction_id: &str) {
    let told = |reply: Reply| (reply.status, reply.body);
    let (of_this, of_none) = (app.transaction(transaction_id, "").await, app.transaction(&fresh_id(), "").await);
    assert_eq!(told(of_this), told(of_none));
    assert_eq!(app.transaction(transaction_id, "?for=on_search&wait=1").await.status, 404);
}

#[tokio::test(flavor = "multi_thread")]
async fn nobody_without_a_token_is_let_in() {
    let network = network().await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let sent = App::of(&network).accepted("search", json!({}), json!({ "intent": {} })).await;
    bpp.heard(1).await;
    network.idle().await;
    let before = network.rows().await;
    let ask = async |method: &str, path: &str, headers: &[(&str, &str)]| {
        let method = reqwest::Method::from_bytes(method.as_bytes()).unwrap();
        let mut request = http().request(method, format!("{}{path}", network.url()));
        for (name, value) in headers {
            request = request.header(*name, *value);
        }
        let body = json!({ "context": { "bpp_id": bpp.id }, "message": fixture::selection(FIRST) });
        let response = request.header("content-type", "application/json").body(body.to_string()).send().await.unwrap();
        let challenge = response.headers().get("www-authenticate").map(|value| value.to_str().unwrap().to_owned());
        let status = response.status().as_u16();
        (status, challenge, serde_json::from_slice::<Value>(&response.bytes().await.unwrap()).unwrap())
    };
    let transaction = format!("/client/transactions/{}", sent.transaction_id);
    let right = format!("Bearer {ASHA}");
    let longer = format!("{right}a");
    let refused: [(&[(&str, &str)], bool); 7] = [
        (&[], false),
        (&[("authorization", ASHA)], false),
        (&[("authorization", "Basic YXNoYQ==")], false),
        (&[("authorization", &right), ("authorization", &right)], false),
        (&[("authorization", "Bearer asha")], true),
        (&[("authorization", "Bearer token-of-ash")], true),
        (&[("authorization", &longer)], true),
    ];
    for (method, path) in [("POST", "/client/select"), ("GET", transaction.as_str())] {
        for (headers, has_token) in refused {
            let (status, challenge, body) = ask(method, path, headers).await;
            assert_eq!(status, 401, "{method} {path} {headers:?}");
            let challenge = challenge.expect("a challenge");
            assert!(challenge.starts_with("Bearer "), "{challenge}");
            assert_eq!(challenge.contains("error=\"invalid_token\""), has_token, "{challenge}");
            let message = body["message"].as_str().unwrap();
            assert!(message.contains("Authorization: Bearer <token>") && message.contains("BECKN_HEALTH_TOKEN"));
            assert!(!message.contains(ASHA), "{message}");
        }
    }
    network.idle().await;
    assert_eq!(network.rows().await, before);
    assert_eq!(bpp.received().len(), 1);
    assert_eq!(ask("GET", &transaction, &[("authorization", &right)]).await.0, 200);
    // Participants sign; they have no token.
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    assert_eq!(bap.ask(&bap.message("search", json!({ "intent": {} }))).await["error"], Value::Null);
}

#[tokio::test(flavor = "multi_thread")]
async fn each_caller_sees_its_own_transactions_alone() {
    let network = network().await;
    let asha = App::of(&network).with_token(ASHA);
    let ravi = asha.with_token(RAVI);
    let hers = asha.accepted("search", json!({}), json!({ "intent": {} })).await;
    let his = ravi.accepted("search", json!({}), json!({ "intent": {} })).await;
    for (app, own, others) in [(&asha, &hers, &his), (&ravi, &his, &hers)] {
        app.callback(own, "on_search").await;
        unknown(app, &others.transaction_id).await;
    }
    // He cannot go on with hers, which changes nothing and tells no provider.
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let before = network.rows().await;
    for (action, message) in [
        ("search", json!({ "intent": {} })),
        ("select", fixture::selection(FIRST)),
        ("cancel", json!({ "order_id": "order-1", "cancellation_reason_id": "001" })),
    ] {
        let reply = ravi.send(action, going_on(&hers, &bpp), message).await;
        assert_eq!(reply.status, 404, "{action}: {}", reply.body);
        let error = &reply.body["error"];
        assert_eq!((&error["code"], &error["paths"]), (&json!("30000"), &json!("context.transaction_id")));
    }
    assert_eq!(network.rows().await, before);
    assert!(bpp.received().is_empty());
    asha.accepted("select", going_on(&hers, &bpp), fixture::selection(FIRST)).await;
    assert_eq!(bpp.heard(1).await.len(), 1);
    // What she does later shows him nothing either.
    unknown(&ravi, &hers.transaction_id).await;
}

/// A context that goes on with a transaction, at a provider of somebody else.
fn going_on(sent: &Accepted, bpp: &Stranger) -> Value {
    json!({ "transaction_id": sent.transaction_id, "bpp_id": bpp.id })
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_who_begin_one_transaction_one_has_it() {
    let network = network().await;
    let asha = App::of(&network).with_token(ASHA);
    let ravi = asha.with_token(RAVI);
    for _ in 0..10 {
        let id = fresh_id();
        let begin = |app: &App| {
            let (app, context) = (app.with_token(app.token()), json!({ "transaction_id": id }));
            async move { app.send("search", context, json!({ "intent": {} })).await.status }
        };
        let began = tokio::join!(begin(&asha), begin(&ravi));
        let (winner, loser) = match began {
            (202, 404) => (&asha, &ravi),
            (404, 202) => (&ravi, &asha),
            other => panic!("expected one of them to have it, found {other:?}"),
        };
        assert_eq!(winner.transaction(&id, "").await.status, 200);
        unknown(loser, &id).await;
    }
}

/// Feeds a function of the BAP a request as an HTTP API delivers it that asks for no token.
async fn openly(network: &TestNetwork, function: &Function, method: &str, path: &str, body: &Value) -> (u64, Value) {
    let event = json!({
        "version": "2.0", "routeKey": "$default", "rawPath": path, "rawQueryString": "", "isBase64Encoded": false,
        "headers": { "content-type": "application/json", "authorization": format!("Bearer {ASHA}") },
        "requestContext": { "http": { "method": method, "path": path }, "timeEpoch": 0 }, "body": body.to_string(),
    });
    let answer = invoke(function, network.role(Role::Bap).clone(), event).await.unwrap();
    (answer["statusCode"].as_u64().unwrap(), serde_json::from_str(answer["body"].as_str().unwrap()).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn what_began_without_a_token_is_nobodys_and_what_is_owned_stays_closed() {
    let network = network().await;
    let asha = App::of(&network).with_token(ASHA);
    let ravi = asha.with_token(RAVI);
    let intent = json!({ "context": {}, "message": { "intent": {} } });
    let (status, begun) = openly(&network, &search::FUNCTION, "POST", "/client/search", &intent).await;
    assert_eq!(status, 202, "{begun}");
    let id = begun["transaction_id"].as_str().unwrap();
    // Everybody may read it and go on with it; that makes it nobody's own.
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    for app in [&asha, &ravi] {
        let context = json!({ "transaction_id": id, "bpp_id": bpp.id });
        app.accepted("select", context, fixture::selection(FIRST)).await;
        assert_eq!(app.transaction(id, "").await.status, 200);
    }
    // Without a caller nothing that is somebody's is open, whatever header comes with the request.
    let hers = asha.accepted("search", json!({}), json!({ "intent": {} })).await.transaction_id;
    let path = format!("/client/transactions/{hers}");
    assert_eq!(openly(&network, &transaction::FUNCTION, "GET", &path, &json!("")).await.0, 404);
    let body = json!({ "context": { "transaction_id": hers }, "message": { "intent": {} } });
    assert_eq!(openly(&network, &search::FUNCTION, "POST", "/client/search", &body).await.0, 404);
    assert_eq!(asha.transaction(&hers, "").await.status, 200);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_token_is_kept_with_the_data_and_by_its_owner_alone() {
    let folder = tempfile::tempdir().unwrap();
    let start = |callers: Option<Callers>| {
        let config = Config {
            listen: ([127, 0, 0, 1], 0).into(),
            data: Some(folder.path().to_owned()),
            catalogue: None,
            clock: Arc::new(ManualClock::at(fixture::monday())),
            reading: Reading::Compat,
            callers,
        };
        Network::start(config)
    };
    let network = start(None).await.unwrap();
    let token = network.token().to_owned();
    network.stop().await;
    let path = folder.path().join("token");
    assert_eq!(std::fs::read_to_string(&path).unwrap(), format!("{token}\n"));
    #[cfg(unix)]
    {
        use std::os::unix::fs::PermissionsExt as _;
        assert_eq!(std::fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
    }
    // What is told goes before what is kept, and does not replace it.
    let network = start(Some(Callers::parse("told").unwrap())).await.unwrap();
    assert_eq!(network.token(), "told");
    network.stop().await;
    let network = start(None).await.unwrap();
    assert_eq!(network.token(), token);
    network.stop().await;
    std::fs::write(&path, "two words\n").unwrap();
    let Err(error) = start(None).await else { panic!("it started with a damaged token") };
    assert!(matches!(error, StartError::Token(..)), "{error}");
    assert!(error.to_string().contains("expected tokens of letters, digits") && !error.to_string().contains("words"));
}
