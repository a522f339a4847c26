//! A whole booking through the client API.

use std::str::FromStr as _;

use beckn_health::network::identity::Role;
use beckn_health_platform::store::table;
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{self, FIRST, HEART, NEAR_HEART};
use beckn_health_tests::network::TestNetwork;
use jiff::SignedDuration;
use rust_decimal::Decimal;
use serde_json::{Value, json};

fn amount(value: &Value) -> Decimal {
    Decimal::from_str(value["value"].as_str().unwrap()).unwrap()
}

/// The quote is the catalogue's: 500 and 9 % twice on it, and 100 for the registration.
#[track_caller]
pub(crate) fn assert_quote_of_cons_01(order: &Value) {
    let quote = &order["quote"];
    let lines: Vec<(&str, &str)> = quote["breakup"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| (line["title"].as_str().unwrap(), line["price"]["value"].as_str().unwrap()))
        .collect();
    assert_eq!(lines, [("Consultation", "500"), ("CGST @ 9%", "45"), ("SGST @ 9%", "45"), ("Registration", "100")]);
    assert_eq!(quote["price"], json!({ "currency": "INR", "value": "690" }));
    let sum: Decimal = quote["breakup"].as_array().unwrap().iter().map(|line| amount(&line["price"])).sum();
    assert_eq!(sum, amount(&quote["price"]));
    assert_eq!(order["items"][0]["price"], json!({ "currency": "INR", "value": "500" }));
}

/// Provider, item and slot are those that were chosen.
#[track_caller]
pub(crate) fn assert_first_slot(order: &Value) {
    assert_eq!(order["provider"]["id"], HEART);
    assert_eq!(order["provider"]["descriptor"]["name"], "Tulsi Heart Centre");
    assert_eq!(order["items"].as_array().unwrap().len(), 1);
    assert_eq!(order["items"][0]["id"], "cons-01");
    assert_eq!(order["items"][0]["fulfillment_ids"], json!([FIRST]));
    let fulfillment = &order["fulfillments"][0];
    assert_eq!(fulfillment["id"], FIRST);
    assert_eq!(fulfillment["type"], "PHYSICAL-CONSULT");
    assert_eq!(fulfillment["agent"]["person"]["name"], "Dr Asha Venkat");
    assert_eq!(fulfillment["agent"]["person"]["creds"][0]["id"], "asha.100@hpr.example");
    let times: Vec<&str> = fulfillment["stops"]
        .as_array()
        .unwrap()
        .iter()
        .map(|stop| stop["time"]["timestamp"].as_str().unwrap())
        .collect();
    assert_eq!(times, ["2026-11-23T04:30:00Z", "2026-11-23T05:00:00Z"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_consultation_from_search_to_cancel() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let bpp = network.id(Role::Bpp);
    let tick = || network.advance(SignedDuration::from_secs(1));

    // Search goes through the gateway.
    let intent = json!({ "intent": {
        "category": { "descriptor": { "name": "cardiology" } },
        "fulfillment": { "type": "OPD", "stops": [{ "location": { "gps": NEAR_HEART, "radius": { "value": "5", "unit": "km" } } }] }
    } });
    let search = app.accepted("search", json!({}), intent).await;
    let found = app.callback(&search, "on_search").await;
    assert_eq!(found["context"]["bpp_id"], bpp.as_str());
    assert_eq!(found["context"]["transaction_id"], search.transaction_id.as_str());
    let provider = &found["message"]["catalog"]["providers"][0];
    assert_eq!((&provider["id"], &provider["rating"]), (&json!(HEART), &json!("4.5")));
    assert_eq!(fixture::items(&found), ["cons-01"]);
    let slots: Vec<&str> =
        provider["fulfillments"].as_array().unwrap().iter().map(|one| one["id"].as_str().unwrap()).collect();
    assert_eq!(slots, [FIRST, fixture::SECOND, fixture::THIRD]);

    let context = json!({ "transaction_id": search.transaction_id, "bpp_id": bpp });
    tick();

    // Select: the price of the request is no price.
    let mut selection = fixture::selection(FIRST);
    selection["order"]["items"][0]["price"] = json!({ "currency": "INR", "value": "1" });
    selection["order"]["quote"] = json!({ "price": { "currency": "INR", "value": "1" } });
    let selected = app.ask("select", context.clone(), selection).await["message"]["order"].clone();
    assert_first_slot(&selected);
    assert_quote_of_cons_01(&selected);
    assert_eq!((&selected["type"], &selected["id"]), (&json!("DRAFT"), &Value::Null));
    assert_eq!(network.rows().await.count(table::ORDERS), 0);
    tick();

    // Init: the slot is held.
    let held = app.ask("init", context.clone(), fixture::booking(FIRST)).await["message"]["order"].clone();
    assert_first_slot(&held);
    assert_quote_of_cons_01(&held);
    let order_id = held["id"].as_str().unwrap().to_owned();
    assert_eq!(held["fulfillments"][0]["state"]["descriptor"]["code"], "slot-booked");
    assert_eq!(held["quote"]["ttl"], "PT600S");
    assert_eq!(held["billing"], fixture::billing());
    assert_eq!(held["fulfillments"][0]["customer"], fixture::customer());
    assert_eq!(held["payments"][0]["status"], "NOT-PAID");
    assert_eq!(held["payments"][0]["params"]["amount"], "690");
    assert_eq!(network.rows().await.count_with(table::SLOTS, &[&order_id, "held"]), 1);
    tick();

    // Confirm: what the request says of payment and price changes nothing.
    let mut confirmation = fixture::confirmation(&order_id);
    confirmation["order"]["payments"] = json!([{ "status": "PAID", "params": { "amount": "1", "currency": "INR" } }]);
    confirmation["order"]["quote"] = json!({ "price": { "currency": "INR", "value": "1" } });
    let confirmed = app.ask("confirm", context.clone(), confirmation).await["message"]["order"].clone();
    assert_first_slot(&confirmed);
    assert_quote_of_cons_01(&confirmed);
    assert_eq!(confirmed["id"], order_id.as_str());
    assert_eq!(confirmed["status"], "ACTIVE");
    assert_eq!(confirmed["fulfillments"][0]["state"]["descriptor"]["code"], "slot-confirmed");
    assert_eq!(confirmed["payments"][0]["status"], "NOT-PAID");
    assert_eq!(confirmed["payments"][0]["params"]["amount"], "690");
    assert_eq!(network.rows().await.count_with(table::SLOTS, &[&order_id, "booked"]), 1);
    tick();

    let by_id = json!({ "order_id": order_id });
    let status = app.ask("status", context.clone(), by_id.clone()).await["message"]["order"].clone();
    assert_eq!(status, confirmed, "nothing happened since");
    tick();

    let tracking = app.ask("track", context.clone(), by_id.clone()).await["message"]["tracking"].clone();
    assert_eq!((&tracking["id"], &tracking["status"]), (&json!(order_id), &json!("active")));
    assert_eq!(tracking["location"]["id"], HEART);
    tick();

    // Update: exactly what is named.
    let billing = json!({ "name": "Ravi Raman", "phone": "+91-5550-222" });
    let update = json!({ "update_target": "order.billing", "order": { "id": order_id, "billing": billing } });
    let updated = app.ask("update", context.clone(), update).await["message"]["order"].clone();
    assert_eq!(updated["billing"], billing);
    assert_eq!(updated["fulfillments"][0]["customer"], fixture::customer());
    tick();
    let customer = json!({ "person": { "name": "Asha Raman", "age": "9", "gender": "female" } });
    let update = json!({ "update_target": "order.fulfillments[0].customer",
        "order": { "id": order_id, "fulfillments": [{ "customer": customer }] } });
    let updated = app.ask("update", context.clone(), update).await["message"]["order"].clone();
    assert_eq!(updated["fulfillments"][0]["customer"], customer);
    assert_eq!(updated["billing"], billing);
    tick();
    let update = json!({ "update_target": "order.quote", "order": { "id": order_id, "quote": {} } });
    let refused = app.ask("update", context.clone(), update).await;
    assert_eq!(
        (&refused["error"]["code"], &refused["error"]["paths"]),
        (&json!("30012"), &json!("message.update_target"))
    );
    tick();

    let support = app.ask("support", context.clone(), json!({ "support": { "order_id": order_id } })).await;
    assert_eq!(support["message"]["support"]["phone"], "+91-80-5550-4242");
    assert_eq!(support["message"]["support"]["email"], "desk@tulsi.example");
    tick();

    // Nothing has taken place that could be rated.
    let ratings = json!({ "ratings": [{ "rating_category": "Order", "id": order_id, "value": "5" }] });
    let refused = app.ask("rating", context.clone(), ratings).await;
    assert_eq!((&refused["error"]["code"], &refused["error"]["paths"]), (&json!("50003"), &json!("message.ratings")));
    tick();

    let cancel = json!({ "order_id": order_id, "descriptor": { "short_desc": "Plans have changed" } });
    let cancelled = app.ask("cancel", context.clone(), cancel).await["message"]["order"].clone();
    assert_eq!(cancelled["status"], "CANCELLED");
    assert_eq!(cancelled["fulfillments"][0]["state"]["descriptor"]["code"], "slot-cancelled");
    assert_eq!(cancelled["cancellation"]["cancelled_by"], "CONSUMER");
    assert_eq!(cancelled["cancellation"]["reason"]["descriptor"]["name"], "Plans have changed");
    assert_eq!(network.rows().await.count(table::SLOTS), 0);

    // The app sees every message, and the provider's last word.
    let transaction = app.transaction(&search.transaction_id, "").await;
    assert_eq!(transaction.status, 200);
    let messages = transaction.body["messages"].as_array().unwrap();
    let actions = |direction: &str| -> Vec<String> {
        let of = messages.iter().filter(|message| message["direction"] == direction);
        of.map(|message| message["action"].as_str().unwrap().to_owned()).collect()
    };
    let sent = actions("sent");
    assert_eq!(
        sent,
        [
            "search", "select", "init", "confirm", "status", "track", "update", "update", "update", "support",
            "rating", "cancel"
        ]
    );
    let callbacks: Vec<String> = sent.iter().map(|action| format!("on_{action}")).collect();
    assert_eq!(actions("received"), callbacks);
    assert!(messages.iter().filter(|one| one["direction"] == "sent").all(|one| one["ack"] == "ACK"));
    assert_eq!(transaction.body["order"], cancelled);
    network.idle().await;
    assert_eq!(network.queued().await, 0);
}

#[tokio::test(flavor = "multi_thread")]
async fn taxes_are_rounded_line_by_line_and_still_add_up() {
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let context = json!({ "bpp_id": network.id(Role::Bpp) });
    let selection = json!({ "order": { "provider": { "id": fixture::GREEN }, "items": [{ "id": "ayu-01" }] } });
    let order = app.ask("select", context, selection).await["message"]["order"].clone();
    // 2.5 % of 333.33 is 8.33325.
    let values: Vec<&str> = order["quote"]["breakup"]
        .as_array()
        .unwrap()
        .iter()
        .map(|line| line["price"]["value"].as_str().unwrap())
        .collect();
    assert_eq!(values, ["333.33", "8.33", "8.33"]);
    assert_eq!(order["quote"]["price"]["value"], "349.99");
    // No slot was named, so it is the earliest: Monday at four in the afternoon.
    assert_eq!(order["fulfillments"][0]["id"], "ayu-01@20261123T103000Z");
    assert_eq!(order["fulfillments"][0]["type"], "DIGITAL-CONSULT");
}
