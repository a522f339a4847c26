//! `trace`, by the BAP and by the log.

use std::sync::{Arc, Mutex};

use axum::body::{Body, to_bytes};
use axum::extract::Request;
use axum::response::Response;
use beckn_health::commands::client::Client;
use beckn_health::commands::timeline;
use beckn_health::operator::{Deployment, hops};
use jiff::Timestamp;
use serde_json::{Value, json};

use crate::Local;

#[tokio::test(flavor = "multi_thread")]
async fn a_transaction_is_told_by_the_bap() {
    let local = Local::start().await;
    let client = Client::with_token(&local.network.base_url(), Some(local.network.token().to_owned())).unwrap();
    let place = json!({ "location": { "city": { "code": "std:080" }, "country": { "code": "IND" } } });
    let searched = client.send("search", place, json!({ "intent": {} })).await.unwrap();
    client.callback(&searched, "on_search").await.unwrap();
    let steps = timeline::steps(&client.transaction(&searched.transaction_id, "").await.unwrap());
    assert_eq!(steps.len(), 1);
    assert_eq!((steps[0].action.as_str(), steps[0].ack.as_str()), ("search", "ACK"));
    assert_eq!(steps[0].callbacks[0].0, "on_search");
    local.network.stop().await;
}

#[tokio::test]
async fn a_client_api_that_wants_a_token_gets_it() {
    let url = answering(|request: &Request, _| {
        let let_in = request.headers().get("authorization").is_some_and(|token| token == "Bearer right");
        if let_in { (200, json!({ "messages": [] })) } else { (401, json!({})) }
    })
    .await;
    let ask = async |token: Option<&str>| {
        Client::with_token(&url, token.map(str::to_owned)).unwrap().transaction("t-1", "").await
    };
    assert!(ask(Some("right")).await.is_ok());
    assert!(ask(None).await.unwrap_err().0.contains("give it with --token or BECKN_HEALTH_TOKEN"));
    assert!(ask(Some("wrong")).await.unwrap_err().0.contains("does not accept the token"));
}

#[tokio::test]
async fn the_functions_logs_are_one_timeline() {
    let asked: Arc<Mutex<Vec<Value>>> = Arc::default();
    let log = asked.clone();
    let line = |outcome: &str, transaction: &str| {
        json!({ "level": "INFO", "transaction_id": transaction, "action": "select", "peer": "bap.example",
                "outcome": outcome, "duration_ms": 4.5, "trace_id": "1-5759e988-bd862e3fe1be46a994272793" })
        .to_string()
    };
    let url = answering(move |request: &Request, body: Value| {
        let group = |name: &str| json!({ "logGroupName": format!("/aws/lambda/beckn-health-dev-{name}") });
        let event = |at: i64, message: String| json!({ "timestamp": at, "message": message });
        log.lock().unwrap().push(body.clone());
        let target = request.headers()["x-amz-target"].to_str().unwrap();
        let answer = match (target, body["logGroupName"].as_str(), body["nextToken"].as_str()) {
            ("Logs_20140328.DescribeLogGroups", _, None) => {
                json!({ "logGroups": [group("bpp-select"), group("2-bpp-select")], "nextToken": "more" })
            }
            ("Logs_20140328.DescribeLogGroups", _, Some("more")) => json!({ "logGroups": [group("bpp-on-select")] }),
            ("Logs_20140328.FilterLogEvents", Some("/aws/lambda/beckn-health-dev-bpp-select"), None) => {
                json!({ "events": [event(3_000, line("ack", "t-1"))], "nextToken": "more" })
            }
            ("Logs_20140328.FilterLogEvents", Some("/aws/lambda/beckn-health-dev-bpp-select"), Some("more")) => {
                json!({ "events": [event(1_000, line("ack", "t-1")), event(1_500, line("ack", "t-10"))] })
            }
            ("Logs_20140328.FilterLogEvents", Some("/aws/lambda/beckn-health-dev-bpp-on-select"), None) => {
                json!({ "events": [event(2_000, line("delivered", "t-1"))] })
            }
            other => panic!("{other:?}"),
        };
        (200, answer)
    })
    .await;
    let deployment = Deployment::at("beckn-health-dev".parse().unwrap(), &url).await;
    let since = Timestamp::from_millisecond(500).unwrap();
    let found = hops::of_transaction(&deployment, "t-1", since).await.unwrap();
    let told: Vec<_> =
        found.iter().map(|hop| (hop.at.as_millisecond(), hop.function.as_str(), hop.outcome.as_str())).collect();
    assert_eq!(
        told,
        [(1_000, "bpp-select", "ack"), (2_000, "bpp-on-select", "delivered"), (3_000, "bpp-select", "ack")]
    );
    assert_eq!(found[0].duration_ms, Some(4.5));
    let asked = asked.lock().unwrap();
    assert_eq!(asked[0]["logGroupNamePrefix"], "/aws/lambda/beckn-health-dev-");
    let filters: Vec<&Value> = asked.iter().filter(|asked| asked["filterPattern"].is_string()).collect();
    assert!(filters.iter().all(|asked| asked["filterPattern"] == "\"t-1\"" && asked["startTime"] == 500));
    assert_eq!(filters.len(), 3);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_local_network_keeps_no_log_and_says_where_to_ask() {
    let local = Local::start().await;
    let failure = hops::of_transaction(&local.deployment, "t-1", Timestamp::UNIX_EPOCH).await.unwrap_err().0;
    assert!(failure.ends_with("a local network keeps no logs to read, ask its BAP: trace t-1 --url"), "{failure}");
    assert!(hops::of_transaction(&local.deployment, "t\" \"1", Timestamp::UNIX_EPOCH).await.is_err());
    local.network.stop().await;
}

/// A server that answers every request as `answer` says.
async fn answering(answer: impl Fn(&Request, Value) -> (u16, Value) + Clone + Send + Sync + 'static) -> String {
    let listener = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let app = axum::Router::new().fallback(move |request: Request| {
        let answer = answer.clone();
        async move {
            let (parts, body) = request.into_parts();
            let body = to_bytes(body, usize::MAX).await.unwrap();
            let request = Request::from_parts(parts, Body::empty());
            let (status, body) = answer(&request, serde_json::from_slice(&body).unwrap_or_default());
            Response::builder().status(status).body(Body::from(body.to_string())).unwrap()
        }
    });
    tokio::spawn(async move { axum::serve(listener, app).await.unwrap() });
    format!("http://{address}")
}
