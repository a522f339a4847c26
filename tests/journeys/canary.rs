//! Personal data never reaches a log.

use beckn_health::network::identity::Role;
use beckn_health_platform::deliver::CALLBACKS;
use beckn_health_tests::app::App;
use beckn_health_tests::fixture::{FIRST, HEART, SECOND};
use beckn_health_tests::fresh_id;
use beckn_health_tests::log::capture;
use beckn_health_tests::network::TestNetwork;
use beckn_health_tests::stranger::{Answer, Stranger};
use serde_json::{Value, json};

/// Stands in every personal field; nothing else holds it.
const CANARY: &str = "Kanarienvogel-7f3a";

fn personal(order: &mut Value) {
    let text = |field: &str| format!("{CANARY} {field}");
    order["billing"] = json!({
        "name": text("name"), "address": text("address"), "email": format!("{CANARY}@mail.example"), "phone": text("phone"),
        "tax_id": text("tax id"), "organization": { "descriptor": { "name": text("employer") }, "address": text("office") },
        "city": { "name": text("city") }, "unknown": text("unknown")
    });
    order["fulfillments"][0]["customer"] = json!({
        "person": {
            "id": text("abha"), "name": text("patient"), "age": "41", "dob": "1985-01-01", "gender": CANARY,
            "creds": [{ "id": text("insurance"), "type": "policy" }],
            "tags": [{ "descriptor": { "code": "symptoms" }, "list": [{ "descriptor": { "code": "complaint" }, "value": text("chest pain") }] }]
        },
        "contact": { "phone": text("phone"), "email": format!("{CANARY}@mail.example"), "jcard": [CANARY] }
    });
    order["fulfillments"][0]["stops"] =
        json!([{ "instructions": { "long_desc": text("door code") }, "person": { "name": text("companion") } }]);
    order["fulfillments"][0]["tags"] =
        json!([{ "list": [{ "descriptor": { "code": "note" }, "value": text("complaint") }] }]);
}

fn order(slot: &str) -> Value {
    let mut order = json!({ "provider": { "id": HEART }, "items": [{ "id": "cons-01", "descriptor": { "long_desc": CANARY } }],
        "fulfillments": [{ "id": slot }] });
    personal(&mut order);
    json!({ "order": order })
}

#[tokio::test(flavor = "multi_thread")]
async fn no_personal_field_is_ever_logged() {
    let log = capture();
    let network = TestNetwork::start().await;
    let app = App::of(&network);
    let context = json!({ "bpp_id": network.id(Role::Bpp), "transaction_id": fresh_id() });

    // The whole journey through the client API, every personal field filled.
    let search = json!({ "intent": { "descriptor": { "name": CANARY }, "tags": [{ "list": [{ "descriptor": { "code": "complaint" }, "value": CANARY }] }],
        "fulfillment": { "agent": { "person": { "name": CANARY } }, "customer": { "person": { "name": CANARY } } } } });
    app.ask("search", json!({ "bpp_id": network.id(Role::Bpp) }), search).await;
    app.ask("select", context.clone(), order(FIRST)).await;
    let held = app.ask("init", context.clone(), order(FIRST)).await;
    let id = held["message"]["order"]["id"].as_str().unwrap().to_owned();
    assert_eq!(held["message"]["order"]["billing"]["unknown"], format!("{CANARY} unknown"), "it was carried");
    let mut confirm = order(FIRST);
    confirm["order"]["id"] = json!(id);
    confirm["order"]["payments"] =
        json!([{ "params": { "bank_account_number": CANARY, "virtual_payment_address": CANARY } }]);
    assert_eq!(app.ask("confirm", context.clone(), confirm).await["error"], Value::Null);
    app.ask("status", context.clone(), json!({ "order_id": id, "ref_id": CANARY })).await;
    app.ask("track", context.clone(), json!({ "order_id": id, "callback_url": format!("https://{CANARY}.example") }))
        .await;
    let mut update = order(FIRST);
    update["order"]["id"] = json!(id);
    update["update_target"] = json!("order.billing,order.fulfillments[0].customer");
    app.ask("update", context.clone(), update.clone()).await;
    update["update_target"] = json!(format!("order.{CANARY}"));
    app.ask("update", context.clone(), update).await;
    let feedback =
        json!({ "ratings": [{ "rating_category": "Agent", "id": CANARY, "value": "1", "feedback": CANARY }] });
    app.ask("rating", context.clone(), feedback).await;
    app.ask(
        "support",
        context.clone(),
        json!({ "support": { "order_id": id, "phone": CANARY, "email": CANARY, "callback_phone": CANARY } }),
    )
    .await;
    let cancel = json!({ "order_id": id, "cancellation_reason_id": CANARY, "descriptor": { "name": CANARY, "short_desc": CANARY, "long_desc": CANARY } });
    app.ask("cancel", context.clone(), cancel).await;

    // Mistakes that quote the data: in the app's own message, at the BPP, in a peer's NACK and callback.
    for body in
        [format!("{{\"message\": \"{CANARY}\""), format!("{{\"context\":{{\"{CANARY}\":1}}}}"), format!("\"{CANARY}\"")]
    {
        assert_eq!(app.post("init", body).await.status, 400);
    }
    let mut wrong = order(SECOND);
    wrong["order"]["billing"] = json!(CANARY);
    assert_eq!(app.send("init", context.clone(), wrong.clone()).await.status, 400);
    let bap = Stranger::bap(&network, "bap.stranger.example").await;
    bap.send(&bap.message("init", wrong)).await.nack(200, "30000", "message.order.billing");
    for place in ["name", "email", "phone"] {
        let mut wrong = order(SECOND);
        wrong["order"]["billing"][place] = json!([CANARY]);
        assert!(!bap.send(&bap.message("init", wrong)).await.is_ack());
    }
    let cut_off = bap.message("init", order(SECOND)).to_string();
    let cut_off = cut_off.as_bytes()[..cut_off.len() - 9].to_vec();
    bap.send_bytes("/bpp/init", cut_off.clone()).await.nack(200, "30000", "");
    bap.post("/bpp/init", &[("content-type", "application/json"), ("authorization", CANARY)], cut_off)
        .await
        .nack(401, "30016", "");

    // Retries, and a refusal that quotes what it refuses.
    bap.answer_next([Answer::Status(500), Answer::Nack(CANARY)]);
    let message = bap.message("init", order(SECOND));
    bap.send(&message).await.ack();
    bap.heard(1).await;
    network.settle(CALLBACKS).await;
    let bpp = Stranger::bpp(&network, "bpp.stranger.example").await;
    let sent = app.accepted("init", json!({ "bpp_id": bpp.id }), order(FIRST)).await;
    let mut callback = bpp.message_in(&sent.transaction_id, "on_init", order(FIRST));
    callback["context"]["message_id"] = json!(sent.message_id);
    callback["error"] = json!({ "code": "40000", "message": CANARY, "paths": CANARY });
    bpp.send(&callback).await.ack();
    callback["message"]["order"]["billing"]["name"] = json!([CANARY]);
    bpp.send(&callback).await.nack(200, "30000", "message.order.billing.name");
    network.idle().await;

    let leaked = log.lines_with(CANARY);
    assert!(leaked.is_empty(), "{leaked:#?}");
    // The log was listening all the while.
    for told in [
        message["context"]["message_id"].as_str().unwrap(),
        sent.message_id.as_str(),
        "callback queued for retry",
        "refused",
    ] {
        assert!(!log.lines_with(told).is_empty(), "{told}");
    }
}
