//! Every message of a consultation, as our network really sends it.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use beckn_health::commands::client::{Accepted, Client};
use beckn_health::commands::shipped_catalogue;
use beckn_health::failure::Failure;
use beckn_health::network::identity::Role;
use beckn_health::network::{Config, Network};
use beckn_health_platform::clock::SystemClock;
use beckn_health_protocol::dialect::Reading;
use serde_json::{Value, json};

/// The messages of one transaction that took every action, and of one that was refused at every step.
pub(crate) struct Flow {
    pub(crate) messages: Vec<Value>,
    /// Answers to posts that no one may make: the body of a 401.
    pub(crate) refusals: Vec<Value>,
}

struct App {
    client: Client,
    context: Value,
}

impl App {
    async fn ask(&self, action: &str, message: Value) -> Result<Value, Failure> {
        let accepted = self.client.send(action, self.context.clone(), message).await?;
        self.client.callback(&accepted, &format!("on_{action}")).await
    }

    async fn must(&self, action: &str, message: Value) -> Value {
        self.ask(action, message).await.unwrap_or_else(|Failure(sentence)| panic!("{action}: {sentence}"))
    }

    /// The provider says no, in a callback of its own.
    async fn must_not(&self, action: &str, message: Value) {
        let Failure(sentence) = self.ask(action, message).await.expect_err(action);
        assert!(sentence.contains("says:"), "{action}: {sentence}");
    }

    async fn messages(&self, transaction_id: &str) -> Vec<Value> {
        let transaction =
            self.client.transaction(transaction_id, "").await.unwrap_or_else(|Failure(sentence)| panic!("{sentence}"));
        transaction["messages"].as_array().unwrap().iter().map(|message| message["body"].clone()).collect()
    }
}

impl Flow {
    pub(crate) async fn run() -> Self {
        let network = Network::start(Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: None,
            catalogue: Some(shipped_catalogue().unwrap_or_else(|Failure(sentence)| panic!("{sentence}"))),
            clock: Arc::new(SystemClock),
            // What we send, we must accept ourselves without excuses.
            reading: Reading::Strict,
            callers: None,
        })
        .await
        .unwrap();
        let client = Client::with_token(&network.base_url(), Some(network.token().to_owned()))
            .unwrap_or_else(|Failure(sentence)| panic!("{sentence}"));
        let bpp_id = network.role(Role::Bpp).participant.subscriber_id.to_string();
        let mut messages = Vec::new();

        let place = json!({ "city": { "code": "std:080" }, "country": { "code": "IND" } });
        let mut app = App { client, context: json!({ "location": place }) };
        let near = json!({ "gps": "12.9716,77.5946", "radius": { "type": "CONSTANT", "value": "10", "unit": "km" } });
        let intent = json!({
            "category": { "descriptor": { "name": "cardiology" } },
            "fulfillment": { "stops": [{ "location": near }] },
        });
        let searched = app.client.send("search", app.context.clone(), json!({ "intent": intent })).await;
        let searched: Accepted = searched.unwrap_or_else(|Failure(sentence)| panic!("search: {sentence}"));
        let found = app.client.callback(&searched, "on_search").await;
        let found = found.unwrap_or_else(|Failure(sentence)| panic!("on_search: {sentence}"));
        let provider = &found["catalog"]["providers"][0];
        let item = &provider["items"][0];

        app.context = json!({ "transaction_id": searched.transaction_id, "bpp_id": bpp_id, "location": place });
        let chosen = json!({
            "provider": { "id": provider["id"] },
            "items": [{ "id": item["id"] }],
            "fulfillments": [{ "id": item["fulfillment_ids"][0] }],
        });
        app.must("select", json!({ "order": chosen })).await;
        let billing = json!({ "name": "Asha Verma", "phone": "+91-9000000001", "email": "asha@example.org" });
        let mut order = chosen.clone();
        order["billing"] = billing.clone();
        order["fulfillments"][0]["customer"] =
            json!({ "person": { "name": "Asha Verma", "age": "41", "gender": "F" } });
        app.must("init", json!({ "order": order })).await;
        let confirmed = app.must("confirm", json!({ "order": chosen })).await;
        let id = confirmed["order"]["id"].clone();
        app.must("status", json!({ "order_id": id })).await;
        app.must("track", json!({ "order_id": id })).await;
        app.must("support", json!({ "support": { "ref_id": id } })).await;
        let mut corrected = billing;
        corrected["phone"] = json!("+91-9000000002");
        app.must("update", json!({ "update_target": "order.billing", "order": { "id": id, "billing": corrected } }))
            .await;
        // The consultation has not taken place, so the callback to a rating carries an error.
        app.must_not("rating", json!({ "ratings": [{ "id": id, "rating_category": "Order", "value": "5" }] })).await;
        app.must("cancel", json!({ "order_id": id, "cancellation_reason_id": "1" })).await;
        messages.extend(app.messages(&searched.transaction_id).await);

        // The same steps about an order that does not exist.
        let other = "5e55a9e0-0000-4000-8000-00000000c0de";
        app.context["transaction_id"] = json!(other);
        let unknown = json!({ "provider": { "id": "nowhere" }, "items": [{ "id": "nothing" }] });
        app.must_not("select", json!({ "order": unknown })).await;
        app.must_not("init", json!({ "order": unknown })).await;
        app.must_not("confirm", json!({ "order": unknown })).await;
        app.must_not("status", json!({ "order_id": other })).await;
        app.must_not("track", json!({ "order_id": other })).await;
        app.must_not("support", json!({ "support": { "ref_id": other } })).await;
        app.must_not("update", json!({ "update_target": "order.billing", "order": { "id": other, "billing": {} } }))
            .await;
        app.must_not("cancel", json!({ "order_id": other })).await;
        messages.extend(app.messages(other).await);

        let mut refusals = Vec::new();
        let http = reqwest::Client::builder().no_proxy().build().unwrap();
        for path in ["/bpp/select", "/bap/on_select", "/gateway/search"] {
            let post = http.post(format!("{}{path}", network.base_url())).header("content-type", "application/json");
            refusals.push(post.body("{}").send().await.unwrap().json().await.unwrap());
        }
        network.stop().await;
        Self { messages, refusals }
    }
}
