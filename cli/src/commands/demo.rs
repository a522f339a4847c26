//! `beckn-health demo`: a whole booking, on a network of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;

use beckn_health_domain::catalogue::Catalogue;
use beckn_health_platform::clock::SystemClock;
use beckn_health_protocol::dialect::Reading;
use clap::Args;
use serde_json::{Value, json};

use super::client::{Accepted, Client};
use super::{log_to_stderr, say, say_json, shipped_catalogue, timeline};
use crate::failure::Failure;
use crate::network::{Config, Network};

/// Start a network, book a consultation, show every step.
#[derive(Args)]
pub struct Demo {
    /// Print one JSON document instead of the timeline
    #[arg(long)]
    json: bool,
}

/// Where the patient of the demo is: the middle of the sample catalogue's city.
const PATIENT_GPS: &str = "12.9716,77.5946";

impl Demo {
    /// Runs the demo.
    ///
    /// # Errors
    /// The network did not start, or a step of the booking failed.
    pub async fn run(self) -> Result<(), Failure> {
        log_to_stderr("error");
        let catalogue = shipped_catalogue()?;
        let network = Network::start(Config {
            listen: SocketAddr::from((Ipv4Addr::LOCALHOST, 0)),
            data: None,
            catalogue: Some(catalogue.clone()),
            clock: Arc::new(SystemClock),
            reading: Reading::Compat,
            callers: None,
        })
        .await?;
        let base = network.base_url();
        if !self.json {
            say(&format!("A network of BAP, gateway, registry and BPP runs on {base}"));
            say("A patient looks for a cardiologist within 10 km and books the nearest one.\n");
        }
        let booked = book(&Client::with_token(&base, Some(network.token().to_owned()))?).await;
        network.stop().await;
        let transaction = booked?;
        let steps = timeline::steps(&transaction);
        if self.json {
            say_json(&json!({
                "ok": true,
                "network": base,
                "transaction_id": transaction["transaction_id"],
                "steps": timeline::to_json(&steps),
                "order": transaction["order"],
            }));
        } else {
            for line in timeline::lines(&steps) {
                say(&line);
            }
            summary(&transaction["order"], &catalogue);
        }
        Ok(())
    }
}

/// search → select → init → confirm → status, as an app does it.
async fn book(client: &Client) -> Result<Value, Failure> {
    let place = json!({ "city": { "code": "std:080" }, "country": { "code": "IND" } });
    let near = json!({ "gps": PATIENT_GPS, "radius": { "type": "CONSTANT", "value": "10", "unit": "km" } });
    let intent = json!({
        "category": { "descriptor": { "name": "cardiology" } },
        "item": { "descriptor": { "name": "consultation" } },
        "fulfillment": { "stops": [{ "location": near }] },
    });
    let searched = client.send("search", json!({ "location": place }), json!({ "intent": intent })).await?;
    let found = client.callback(&searched, "on_search").await?;
    let bpp_id = provider_of(client, &searched).await?;
    let provider = &found["catalog"]["providers"][0];
    let item = &provider["items"][0];
    let (Some(provider_id), Some(item_id), Some(slot_id)) =
        (provider["id"].as_str(), item["id"].as_str(), item["fulfillment_ids"][0].as_str())
    else {
        return Err(Failure("on_search brought no cardiologist with a free slot".to_owned()));
    };

    let context = json!({ "transaction_id": searched.transaction_id, "bpp_id": bpp_id, "location": place });
    let chosen =
        json!({ "provider": { "id": provider_id }, "items": [{ "id": item_id }], "fulfillments": [{ "id": slot_id }] });
    ask(client, "select", &context, json!({ "order": chosen })).await?;

    let mut order = chosen.clone();
    order["billing"] = json!({ "name": "Asha Verma", "phone": "+91-9000000001", "email": "asha@example.org" });
    order["fulfillments"][0]["customer"] = json!({ "person": { "name": "Asha Verma", "age": "41", "gender": "F" }, "contact": { "phone": "+91-9000000001" } });
    let terms = ask(client, "init", &context, json!({ "order": order })).await?;

    let mut agreed = chosen;
    agreed["payments"] = json!([{ "type": "PRE-FULFILLMENT", "params": terms["order"]["payments"][0]["params"] }]);
    let confirmed = ask(client, "confirm", &context, json!({ "order": agreed })).await?;

    let order_id = confirmed["order"]["id"].clone();
    let standing = ask(client, "status", &context, json!({ "order_id": order_id })).await?;
    if standing["order"]["status"] != "ACTIVE" {
        return Err(Failure(format!("the order is {} after confirm", standing["order"]["status"])));
    }
    client.transaction(&searched.transaction_id, "").await
}

async fn ask(client: &Client, action: &str, context: &Value, message: Value) -> Result<Value, Failure> {
    let accepted = client.send(action, context.clone(), message).await?;
    client.callback(&accepted, &format!("on_{action}")).await
}

/// Which provider's platform answered the search.
async fn provider_of(client: &Client, searched: &Accepted) -> Result<Value, Failure> {
    let transaction = client.transaction(&searched.transaction_id, "").await?;
    let messages = transaction["messages"].as_array().map(Vec::as_slice).unwrap_or_default();
    let answer = messages.iter().find(|message| message["action"] == "on_search");
    answer
        .map(|answer| answer["body"]["context"]["bpp_id"].clone())
        .ok_or_else(|| Failure("no provider answered the search".to_owned()))
}

fn summary(order: &Value, catalogue: &Catalogue) {
    let fulfillment = &order["fulfillments"][0];
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let line = |name: &str, value: String| say(&format!("  {name:<8} {value}"));
    say("");
    line("doctor", text(&fulfillment["agent"]["person"]["name"]));
    line(
        "where",
        format!(
            "{}, {}",
            text(&order["provider"]["descriptor"]["name"]),
            text(&order["provider"]["locations"][0]["address"])
        ),
    );
    line("when", when(order, catalogue));
    let price = |title: String, price: &Value| {
        format!("{title:<14} {:>9} {}", timeline::amount(&price["value"]), text(&price["currency"]))
    };
    for breakup in order["quote"]["breakup"].as_array().map(Vec::as_slice).unwrap_or_default() {
        line("quote", price(text(&breakup["title"]), &breakup["price"]));
    }
    line("", price("total".to_owned(), &order["quote"]["price"]));
    line("order", text(&order["id"]));
    line("state", format!("{}, {}", text(&order["status"]), text(&fulfillment["state"]["descriptor"]["name"])));
}

/// The slot as the clinic's clock shows it.
fn when(order: &Value, catalogue: &Catalogue) -> String {
    let at = |stop: usize| {
        order["fulfillments"][0]["stops"][stop]["time"]["timestamp"]
            .as_str()
            .and_then(|at| at.parse::<jiff::Timestamp>().ok())
    };
    let id = order["provider"]["id"].as_str();
    let facility = catalogue.facilities().iter().find(|facility| Some(facility.id.as_str()) == id);
    let (Some(start), Some(end), Some(facility)) = (at(0), at(1), facility) else { return String::new() };
    let zone = &facility.zone;
    let civil = |at: jiff::Timestamp| at.to_zoned(zone.time_zone().clone());
    format!("{} to {} ({})", civil(start).strftime("%A %-d %B %Y, %H:%M"), civil(end).strftime("%H:%M"), zone.name())
}
