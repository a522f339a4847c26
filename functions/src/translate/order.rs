//! Orders and offers as Beckn objects.

use beckn_health_domain::catalogue::{Facility, Language};
use beckn_health_domain::order::{self as domain, Party, State};
use beckn_health_domain::quote::{Quote, QuoteLineKind};
use beckn_health_domain::slot::{Slot, SlotId};
use beckn_health_platform::store::orders::{Details, Terms};
use beckn_health_protocol::duration::Ttl;
use beckn_health_protocol::ids::{FulfillmentId, ItemId, OrderId, ProviderId};
use beckn_health_protocol::model;
use jiff::Timestamp;
use rust_decimal::Decimal;
use serde::de::DeserializeOwned;
use serde_json::Value;

/// What is offered before there is an order: one slot of one service at a price.
pub struct Offer<'a> {
    /// Facility, practitioner and service.
    pub terms: &'a Terms,
    /// The slot.
    pub slot: Slot,
    /// The price.
    pub quote: &'a Quote,
}

/// An offer as the draft order of `on_select`.
pub fn draft(offer: &Offer<'_>) -> model::Order {
    let mut order = skeleton(offer);
    order.r#type = Some(model::OrderType::Draft);
    order
}

/// An order as its consumer sees it at `now`. A hold or an offer that has lapsed is shown as what
/// it has become, whether or not anything has swept it up.
pub fn order(order: &domain::Order, details: &Details, now: Timestamp) -> model::Order {
    let lapsed = order.state().lapsed(now).then(|| order.apply(domain::Event::Lapse, now).ok()).flatten();
    let order = lapsed.as_ref().unwrap_or(order);
    let mut wire = skeleton(&Offer { terms: &details.terms, slot: order.slot(), quote: order.quote() });
    wire.id = OrderId::parse(order.id().as_str()).ok();
    wire.status = Some(model::OrderStatus::parse(order.state().order_status().as_str()));
    wire.r#type = Some(match order.state() {
        State::Held { .. } => model::OrderType::Draft,
        _ => model::OrderType::Default,
    });
    wire.billing = object(&details.billing);
    wire.created_at = Some(order.created_at());
    wire.updated_at = Some(order.updated_at());
    wire.payments = vec![payment(order)];
    if let State::Held { expires_at } = order.state()
        && let Some(quote) = &mut wire.quote
    {
        let left = expires_at.as_second().saturating_sub(now.as_second()).clamp(0, i64::from(u32::MAX));
        quote.ttl = Some(Ttl::from_seconds(u32::try_from(left).unwrap_or_default()));
    }
    if let State::Cancelled { by, reason, at } = order.state() {
        wire.cancellation = Some(model::Cancellation {
            time: Some(*at),
            cancelled_by: Some(model::TransactingParty::parse(by.as_str())),
            reason: reason
                .text()
                .map(|text| model::ReasonOption { descriptor: Some(named(text)), ..Default::default() }),
            ..Default::default()
        });
    } else {
        wire.cancellation_terms = vec![cancellation_term(order)];
    }
    if let Some(fulfillment) = wire.fulfillments.first_mut() {
        fulfillment.customer = object(&details.customer);
        fulfillment.state = Some(state(order));
        fulfillment.tags = tracking_tags(order.state());
    }
    wire
}

/// The tracking of an order (`on_track`): where it takes place, and how far it is.
pub fn tracking(order: &domain::Order, details: &Details) -> model::Tracking {
    let live = matches!(order.state().order_status(), domain::OrderStatus::Active);
    let mut tracking = model::Tracking {
        id: Some(order.id().to_string()),
        url: details.terms.facility.url.clone(),
        location: Some(location(&details.terms.facility)),
        status: Some(if live { model::TrackingStatus::Active } else { model::TrackingStatus::Inactive }),
        ..Default::default()
    };
    if let Ok(tags) = serde_json::to_value(tracking_tags(order.state())) {
        tracking.extra.insert("tags".to_owned(), tags);
    }
    tracking
}

/// A facility's place.
pub fn location(facility: &Facility) -> model::Location {
    model::Location {
        id: Some(facility.id.to_string()),
        gps: model::Gps::new(facility.location.lat(), facility.location.lon()).ok(),
        address: facility.address.clone(),
        area_code: facility.area_code.clone(),
        city: Some(model::City { code: Some(facility.city.to_string()), ..Default::default() }),
        ..Default::default()
    }
}

/// The practitioner of an offer.
pub fn agent(terms: &Terms) -> model::Agent {
    model::Agent {
        person: Some(model::Person {
            name: Some(terms.practitioner_name.clone()),
            gender: Some(terms.gender.as_str().to_owned()),
            creds: vec![model::Credential { id: Some(terms.registration_id.clone()), ..Default::default() }],
            languages: terms.languages.iter().map(language).collect(),
            skills: terms
                .specialities
                .iter()
                .map(|speciality| model::Skill {
                    code: Some(speciality.code.clone()),
                    name: Some(speciality.name.clone()),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn language(language: &Language) -> model::Language {
    model::Language {
        code: Some(language.as_str().to_owned()),
        name: language.name().map(str::to_owned),
        ..Default::default()
    }
}

/// The start and end of a slot, at the facility when the patient comes there.
pub fn stops(facility: &Facility, slot: Slot, physical: bool) -> Vec<model::Stop> {
    let stop = |kind: &str, at: Timestamp, location| model::Stop {
        r#type: Some(kind.to_owned()),
        time: Some(model::Time { timestamp: Some(at), ..Default::default() }),
        location,
        ..Default::default()
    };
    vec![stop("start", slot.start, physical.then(|| location(facility))), stop("end", slot.end, None)]
}

/// A descriptor with a name alone.
pub fn named(name: impl Into<String>) -> model::Descriptor {
    model::Descriptor { name: Some(name.into()), ..Default::default() }
}

/// A descriptor with code and name.
pub fn coded(code: impl Into<String>, name: impl Into<String>) -> model::Descriptor {
    model::Descriptor { code: Some(code.into()), ..named(name) }
}

/// An amount of money.
pub fn price(amount: Decimal, quote: &Quote) -> model::Price {
    model::Price { currency: Some(quote.currency().to_string()), value: Some(amount), ..Default::default() }
}

/// The fee for the consultation alone, without taxes and registration.
pub fn consultation_fee(quote: &Quote) -> Decimal {
    quote.lines().iter().filter(|line| line.kind() == QuoteLineKind::Consultation).map(|line| line.amount()).sum()
}

/// What drafts and orders have in common.
fn skeleton(offer: &Offer<'_>) -> model::Order {
    let Terms { facility, service, .. } = offer.terms;
    let physical = service.consultation_type == beckn_health_domain::catalogue::ConsultationType::Physical;
    let slot_id = FulfillmentId::parse(SlotId::new(service.id.clone(), offer.slot.start).to_string()).ok();
    model::Order {
        provider: Some(model::Provider {
            id: ProviderId::parse(facility.id.as_str()).ok(),
            descriptor: Some(model::Descriptor { short_desc: facility.short_desc.clone(), ..named(&facility.name) }),
            categories: facility
                .departments
                .iter()
                .map(|department| model::Category {
                    id: Some(department.id.to_string()),
                    descriptor: Some(coded(&department.code, &department.name)),
                    ..Default::default()
                })
                .collect(),
            locations: vec![location(facility)],
            ..Default::default()
        }),
        items: vec![model::Item {
            id: ItemId::parse(service.id.as_str()).ok(),
            descriptor: Some(coded("consultation", &service.name)),
            price: Some(price(consultation_fee(offer.quote), offer.quote)),
            category_ids: vec![service.department_id.to_string()],
            fulfillment_ids: slot_id.iter().cloned().collect(),
            location_ids: vec![facility.id.to_string()],
            ..Default::default()
        }],
        fulfillments: vec![model::Fulfillment {
            id: slot_id,
            r#type: Some(service.consultation_type.fulfillment_type().to_owned()),
            agent: Some(agent(offer.terms)),
            stops: stops(facility, offer.slot, physical),
            ..Default::default()
        }],
        quote: Some(model::Quotation {
            price: Some(price(offer.quote.total(), offer.quote)),
            breakup: offer
                .quote
                .lines()
                .iter()
                .map(|line| model::Breakup {
                    title: Some(line.title().to_owned()),
                    price: Some(price(line.amount(), offer.quote)),
                    ..Default::default()
                })
                .collect(),
            ..Default::default()
        }),
        ..Default::default()
    }
}

fn payment(order: &domain::Order) -> model::Payment {
    model::Payment {
        collected_by: Some("BPP".to_owned()),
        r#type: Some(model::PaymentType::PreFulfillment),
        status: Some(model::PaymentStatus::parse(order.payment().status.as_str())),
        params: Some(model::PaymentParams {
            transaction_id: order.payment().transaction_reference.clone(),
            amount: Some(order.amount()),
            currency: Some(order.quote().currency().to_string()),
            ..Default::default()
        }),
        ..Default::default()
    }
}

/// Until the slot starts the consumer may call it off without a fee.
fn cancellation_term(order: &domain::Order) -> model::CancellationTerm {
    let until = model::Range { end: Some(order.slot().start), ..Default::default() };
    model::CancellationTerm {
        reason_required: Some(false),
        cancel_by: Some(model::Time { range: Some(until), ..Default::default() }),
        cancellation_fee: Some(model::Fee { amount: Some(price(Decimal::ZERO, order.quote())), ..Default::default() }),
        ..Default::default()
    }
}

fn state(order: &domain::Order) -> model::FulfillmentState {
    let shown = order.state().fulfillment_state();
    let mut descriptor = coded(shown.code, shown.name);
    if let State::Held { expires_at } = order.state() {
        descriptor.short_desc = Some(format!("Held until {expires_at}"));
    }
    model::FulfillmentState {
        descriptor: Some(descriptor),
        updated_at: Some(order.updated_at()),
        updated_by: Some(Party::Provider.as_str().to_owned()),
        ..Default::default()
    }
}

/// The tracking code of healthcare 0.5.0 (`T01_0001` …) where the state has one.
fn tracking_tags(state: &State) -> Vec<model::TagGroup> {
    let Some(code) = state.tracking_code() else { return Vec::new() };
    vec![model::TagGroup {
        descriptor: Some(coded("tracking", "Tracking")),
        list: vec![model::Tag {
            descriptor: Some(coded(code.code(), code.text())),
            value: Some(code.text().to_owned()),
            ..Default::default()
        }],
        ..Default::default()
    }]
}

/// A stored Beckn object; `None` when there is none.
fn object<T: DeserializeOwned>(stored: &Value) -> Option<T> {
    if stored.is_null() { None } else { serde_json::from_value(stored.clone()).ok() }
}
