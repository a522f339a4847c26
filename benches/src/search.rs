//! From a search to its `on_search`, by size of the catalogue.

use std::time::{Duration, Instant};

use beckn_health::commands::client::Client;
use beckn_health::failure::Failure;
use beckn_health::network::Network;
use beckn_health::network::identity::Role;
use beckn_health::sample::sample_catalogue;
use serde_json::{Value, json};

use crate::consumer::{Consumer, search_message};
use crate::figures::Figures;
use crate::machine::resident_kib;
use crate::network;
use crate::report::{Budget, Limit, Section, short};

/// Kilometres around the point searched.
const RADIUS_KM: u32 = 5;
/// Searches before those that count.
const WARM_UP: usize = 20;
/// Longest wait for an answer.
const PATIENCE: Duration = Duration::from_secs(20);
/// The catalogue that the budgets are about.
const BUDGET_PRACTITIONERS: usize = 10_000;
/// How much slower the largest catalogue may be than the smallest and still count as flat.
const FLAT: f64 = 1.5;

/// A way to search.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Way {
    /// A BAP asks the gateway and hears the provider.
    Gateway,
    /// A BAP asks the provider.
    Direct,
    /// An app asks our BAP, which asks the gateway, and polls for the answer.
    App,
    /// As `Direct`, for a speciality anywhere in the city.
    City,
}

impl Way {
    const ALL: [Way; 4] = [Way::Gateway, Way::Direct, Way::App, Way::City];

    fn name(self) -> &'static str {
        match self {
            Way::Gateway => "radius, through the gateway",
            Way::Direct => "radius, straight to the BPP",
            Way::App => "radius, app → BAP → gateway → BPP → BAP → app (long poll)",
            Way::City => "speciality in the whole city, straight to the BPP",
        }
    }

    fn has_budget(self) -> bool {
        matches!(self, Way::Gateway | Way::App)
    }
}

/// Searches a fresh network for each size of catalogue.
///
/// # Errors
/// A network does not start, or a search is not answered.
pub fn measure(sizes: &[usize], searches: usize) -> Result<Section, Failure> {
    let mut rows = Vec::new();
    let mut figures = Vec::new();
    let mut budgets = Vec::new();
    let mut radius = Vec::new();
    for &practitioners in sizes {
        eprintln!("  a catalogue of {practitioners}");
        let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build()?;
        let measured = runtime.block_on(search(practitioners, searches.max(1)))?;
        runtime.shutdown_timeout(Duration::from_secs(5));
        for (way, times) in measured.ways {
            let Some(times) = Figures::milliseconds(&times) else { continue };
            let (p50, p99) = (times.median(), times.quantile(0.99));
            rows.push(vec![
                practitioners.to_string(),
                way.name().to_owned(),
                short(p50),
                short(p99),
                short(times.largest()),
            ]);
            figures.push(json!({
                "practitioners": practitioners, "search": way.name(), "searches": times.count(), "p50_ms": p50,
                "p99_ms": p99, "largest_ms": times.largest(), "ready_after_s": measured.ready_after.as_secs_f64(),
                "resident_mib": measured.resident_mib,
            }));
            if way == Way::Gateway {
                radius.push((practitioners, p50));
            }
            if practitioners == BUDGET_PRACTITIONERS && way.has_budget() {
                for (what, measured, limit) in [("p50", p50, 15.0), ("p99", p99, 60.0)] {
                    budgets.push(Budget {
                        what: format!("search → on_search, {practitioners} practitioners, {}, {what}", way.name()),
                        measured,
                        limit: Limit::AtMost(limit),
                        unit: "ms",
                    });
                }
            }
        }
        rows.push(vec![
            practitioners.to_string(),
            format!(
                "(network ready after {} s, process {} MiB)",
                short(measured.ready_after.as_secs_f64()),
                short(measured.resident_mib)
            ),
            String::new(),
            String::new(),
            String::new(),
        ]);
    }
    if let (Some((least, fast)), Some((most, slow))) =
        (radius.iter().min_by_key(|(size, _)| *size), radius.iter().max_by_key(|(size, _)| *size))
        && least != most
    {
        budgets.push(Budget {
            what: format!("radius search, p50 at {most} ÷ p50 at {least} practitioners (flat)"),
            measured: slow / fast,
            limit: Limit::AtMost(FLAT),
            unit: "×",
        });
    }
    Ok(Section {
        title: "Search to on_search",
        method: format!(
            "{searches} searches of each kind, one at a time and the kinds in turns, on a fresh network in memory with the sample \
             catalogue of that many practitioners (the invented city grows with them, so a radius of {RADIUS_KM} km finds \
             as much in each). The time is from before the BAP signs until all of `on_search` has arrived at the \
             BAP's endpoint; for the app it is until its long poll is answered. Flat is read as at most {FLAT} times."
        ),
        columns: vec!["practitioners", "search", "p50 ms", "p99 ms", "largest ms"],
        rows,
        figures: Value::Array(figures),
        budgets,
    })
}

struct Measured {
    ways: Vec<(Way, Vec<Duration>)>,
    ready_after: Duration,
    resident_mib: f64,
}

async fn search(practitioners: usize, searches: usize) -> Result<Measured, Failure> {
    let catalogue = sample_catalogue(practitioners, 1)?;
    let started_at = Instant::now();
    let network = network::start(None, catalogue).await?;
    let ready_after = started_at.elapsed();
    let resident_mib = resident_kib(std::process::id()).unwrap_or(0) as f64 / 1_024.0;
    let consumer = Consumer::join(&network).await?;
    let app = Client::with_token(&network.base_url(), Some(network.token().to_owned()))?;
    let mut ways: Vec<(Way, Vec<Duration>)> = Way::ALL.map(|way| (way, Vec::with_capacity(searches))).into();
    for turn in 0..WARM_UP + searches {
        // Points around the middle of the city, so that not one answer is given again and again.
        let step = (turn % 21) as f64 / 1_000.0 - 0.01;
        let (latitude, longitude) = (12.93 + step, 77.61 - step / 2.0);
        for (way, times) in &mut ways {
            let took = one(*way, &network, &consumer, &app, latitude, longitude).await?;
            if turn >= WARM_UP {
                times.push(took);
            }
        }
    }
    network.stop().await;
    Ok(Measured { ways, ready_after, resident_mib })
}

/// One search, answered with at least one provider.
async fn one(
    way: Way,
    network: &Network,
    consumer: &Consumer,
    app: &Client,
    latitude: f64,
    longitude: f64,
) -> Result<Duration, Failure> {
    let message = match way {
        Way::City => json!({ "intent": { "category": { "descriptor": { "name": "cardiology" } } } }),
        Way::Gateway | Way::Direct | Way::App => search_message(latitude, longitude, RADIUS_KM, 0),
    };
    let started_at = Instant::now();
    if way == Way::App {
        let place = json!({ "location": { "city": { "code": "std:080" }, "country": { "code": "IND" } } });
        let accepted = app.send("search", place, message).await?;
        let found = app.callback(&accepted, "on_search").await?;
        let took = started_at.elapsed();
        return something(way, &found).map(|()| took);
    }
    let signed = consumer.sign("search", way != Way::Gateway, &message)?;
    let heard = consumer.await_callback(&signed);
    let path = if way == Way::Gateway { "gateway" } else { "bpp" };
    let url = format!("{}/{path}/search", network.base_url());
    let answer = network
        .role(Role::Bap)
        .egress
        .post(&url, &[("authorization", signed.authorization.clone())], signed.body.clone())
        .await?;
    let acknowledged = beckn_health_protocol::ack::Response::parse(&answer.body).is_ok_and(|answer| answer.is_ack());
    if !acknowledged {
        return Err(Failure(format!("{}: not acknowledged: {}", way.name(), String::from_utf8_lossy(&answer.body))));
    }
    let (heard_at, body) = tokio::time::timeout(PATIENCE, heard)
        .await
        .map_err(|_| Failure(format!("{}: no on_search came within {} s", way.name(), PATIENCE.as_secs())))??;
    let answer: Value = serde_json::from_slice(&body)?;
    something(way, &answer["message"]).map(|()| heard_at.duration_since(started_at))
}

/// A search that finds nothing would measure nothing.
fn something(way: Way, message: &Value) -> Result<(), Failure> {
    if message["catalog"]["providers"].as_array().is_some_and(|providers| !providers.is_empty()) {
        Ok(())
    } else {
        Err(Failure(format!("{}: on_search brought nobody", way.name())))
    }
}
