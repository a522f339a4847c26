//! What was found as a Beckn catalogue.

use beckn_health_domain::quote::Quote;
use beckn_health_domain::slot::{Slot, SlotId};
use beckn_health_domain::snapshot::Match;
use beckn_health_platform::store::orders::Terms;
use beckn_health_protocol::ids::{FulfillmentId, ItemId, ProviderId};
use beckn_health_protocol::model::{Catalog, Category, Descriptor, Fulfillment, Item, Provider, Tag, TagGroup};

use super::order::{agent, coded, consultation_fee, location, named, price, stops};

/// One service with the free slots that are shown of it.
pub struct Shown<'a> {
    /// The service, its practitioner and facility.
    pub found: Match<'a>,
    /// Free slots, earliest first; not empty.
    pub slots: Vec<Slot>,
}

/// A catalogue of the services in the order given: each facility once, where it first appears.
pub fn catalog(provider_name: &str, page: &[Shown<'_>]) -> Catalog {
    let mut providers: Vec<Provider> = Vec::new();
    for shown in page {
        let facility = shown.found.facility;
        let known = providers
            .iter()
            .position(|provider| provider.id.as_ref().map(ProviderId::as_str) == Some(facility.id.as_str()));
        let index = known.unwrap_or_else(|| {
            providers.push(Provider {
                id: ProviderId::parse(facility.id.as_str()).ok(),
                descriptor: Some(Descriptor { short_desc: facility.short_desc.clone(), ..named(&facility.name) }),
                rating: facility.rating.map(|rating| rating.to_string()),
                locations: vec![location(facility)],
                ..Default::default()
            });
            providers.len() - 1
        });
        if let Some(provider) = providers.get_mut(index) {
            add(provider, shown);
        }
    }
    Catalog { descriptor: Some(named(provider_name)), providers, ..Default::default() }
}

fn add(provider: &mut Provider, shown: &Shown<'_>) {
    let Match { facility, practitioner, service, distance_km, .. } = &shown.found;
    let terms = Terms::new(facility, practitioner, service);
    let quote = Quote::from_fee(&service.fee);
    let department = facility.department(&service.department_id);
    if let Some(department) = department
        && !provider.categories.iter().any(|category| category.id.as_deref() == Some(department.id.as_str()))
    {
        provider.categories.push(Category {
            id: Some(department.id.to_string()),
            descriptor: Some(coded(&department.code, &department.name)),
            ..Default::default()
        });
    }
    let physical = service.consultation_type == beckn_health_domain::catalogue::ConsultationType::Physical;
    let mut fulfillment_ids = Vec::new();
    for slot in &shown.slots {
        let Ok(id) = FulfillmentId::parse(SlotId::new(service.id.clone(), slot.start).to_string()) else { continue };
        provider.fulfillments.push(Fulfillment {
            id: Some(id.clone()),
            r#type: Some(service.consultation_type.fulfillment_type().to_owned()),
            rating: practitioner.rating.map(|rating| rating.to_string()),
            agent: Some(agent(&terms)),
            stops: stops(facility, *slot, physical),
            ..Default::default()
        });
        fulfillment_ids.push(id);
    }
    provider.items.push(Item {
        id: ItemId::parse(service.id.as_str()).ok(),
        descriptor: Some(coded("consultation", &service.name)),
        price: Some(price(consultation_fee(&quote), &quote)),
        category_ids: department.iter().map(|department| department.id.to_string()).collect(),
        fulfillment_ids,
        location_ids: vec![facility.id.to_string()],
        rating: practitioner.rating.map(|rating| rating.to_string()),
        matched: Some(true),
        tags: tags(&practitioner.system_of_medicine, *distance_km),
        ..Default::default()
    });
}

/// What Beckn's item has no field for.
fn tags(system_of_medicine: &str, distance_km: Option<f64>) -> Vec<TagGroup> {
    let tag = |code: &str, name: &str, value: String| Tag {
        descriptor: Some(coded(code, name)),
        value: Some(value),
        ..Default::default()
    };
    let mut list = vec![tag("system_of_medicine", "System of medicine", system_of_medicine.to_owned())];
    if let Some(distance) = distance_km {
        list.push(tag("distance_km", "Distance in kilometres", format!("{distance:.2}")));
    }
    vec![TagGroup { descriptor: Some(coded("consultation", "Consultation")), list, ..Default::default() }]
}
