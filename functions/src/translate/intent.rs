//! A consumer's `search` as the domain's criteria.
//!
//! Where each criterion stands in the intent (Beckn 1.1.0 as DHP uses it):
//!
//! | criterion | path below `message.intent` |
//! |---|---|
//! | speciality | `category.descriptor`, `fulfillment.agent.person.skills[0]`, tag `speciality` |
//! | practitioner | `fulfillment.agent.person.name`, `.id`, `.creds[0].id`, `.gender` |
//! | facility | `provider.id`, `provider.descriptor.name` |
//! | type of consultation | `fulfillment.type` |
//! | languages | `fulfillment.agent.person.languages`, tag `languages` |
//! | system of medicine | tag `system_of_medicine` |
//! | availability | `fulfillment.stops[].time.range`, or the times of the stops `start` and `end` |
//! | place | `fulfillment.stops[].location` (`gps` with `radius`, or `circle`; `city.code`) |
//! | service, price | `item.id`, `item.descriptor`, `item.price.minimum_value`, `.maximum_value` |
//! | rating | `fulfillment.agent.rating` or `item.rating`: `4` means at least four, `3.5-4.5` a range |
//!
//! Tags may stand at the intent, at the fulfilment or at the person.
//!
//! Invariant: a criterion that is given and cannot be understood is an error; it is never dropped,
//! because a wider answer than asked for would be a wrong one.

use beckn_health_domain::catalogue::{CityCode, FacilityId, Language, Point, ServiceId, Stars};
use beckn_health_domain::search::{Criteria, Near, PriceRange, RatingRange, Window};
use beckn_health_protocol::error::{Code, Error};
use beckn_health_protocol::model::{Descriptor, Fulfillment, Intent, Item, Location, Person, Scalar, Stop, TagGroup};
use jiff::{SignedDuration, Timestamp};
use rust_decimal::prelude::ToPrimitive as _;

/// How far a search around a point reaches when it names no radius.
const DEFAULT_RADIUS_KM: f64 = 25.0;
/// How long a window is that has only a beginning.
const OPEN_WINDOW: SignedDuration = SignedDuration::from_hours(24);
/// `item.descriptor.code` of DHP's searches for this kind of service: all that is offered here is of that kind.
const CONSULTATION: &str = "medical-consultation";

/// The criteria of an intent.
///
/// # Errors
/// The first criterion that cannot be understood, with its path.
pub fn criteria(intent: &Intent) -> Result<Criteria, Error> {
    let mut criteria = Criteria::default();
    if let Some(descriptor) = intent.category.as_ref().and_then(|category| category.descriptor.as_ref()) {
        criteria.speciality = words(descriptor);
    }
    if let Some(provider) = &intent.provider {
        criteria.facility_id = provider
            .id
            .as_ref()
            .map(|id| FacilityId::parse(id.as_str()))
            .transpose()
            .map_err(|problem| wrong("provider.id", problem))?;
        criteria.facility_name = provider.descriptor.as_ref().and_then(|descriptor| descriptor.name.clone());
    }
    if let Some(item) = &intent.item {
        from_item(item, &mut criteria)?;
    }
    if let Some(fulfillment) = &intent.fulfillment {
        from_fulfillment(fulfillment, &mut criteria)?;
    }
    from_tags(&intent.tags, "tags", &mut criteria)?;
    Ok(criteria)
}

fn wrong(path: &str, problem: impl std::fmt::Display) -> Error {
    Error::new(Code::InvalidRequest, problem.to_string()).at(format!("message.intent.{path}"))
}

/// The code, or else the name.
fn words(descriptor: &Descriptor) -> Option<String> {
    descriptor.code.clone().or_else(|| descriptor.name.clone())
}

fn from_item(item: &Item, criteria: &mut Criteria) -> Result<(), Error> {
    criteria.service_id = item
        .id
        .as_ref()
        .map(|id| ServiceId::parse(id.as_str()))
        .transpose()
        .map_err(|problem| wrong("item.id", problem))?;
    criteria.service_name = item.descriptor.as_ref().and_then(|descriptor| {
        let code = descriptor.code.clone().filter(|code| !code.eq_ignore_ascii_case(CONSULTATION));
        descriptor.name.clone().or(code)
    });
    if let Some(price) = &item.price {
        let range = PriceRange { min: price.minimum_value, max: price.maximum_value.or(price.value) };
        if range.min.zip(range.max).is_some_and(|(min, max)| min > max) {
            return Err(wrong("item.price", "expected a minimum_value not above the maximum_value"));
        }
        criteria.price = Some(range);
    }
    if let Some(rating) = &item.rating {
        criteria.rating = Some(rating_range(rating, "item.rating")?);
    }
    Ok(())
}

fn from_fulfillment(fulfillment: &Fulfillment, criteria: &mut Criteria) -> Result<(), Error> {
    if let Some(kind) = &fulfillment.r#type {
        criteria.consultation_type = Some(kind.parse().map_err(|problem| wrong("fulfillment.type", problem))?);
    }
    if let Some(agent) = &fulfillment.agent {
        if let Some(rating) = &agent.rating {
            criteria.rating = Some(rating_range(rating, "fulfillment.agent.rating")?);
        }
        if let Some(person) = &agent.person {
            from_person(person, criteria)?;
        }
    }
    from_stops(&fulfillment.stops, criteria)?;
    from_tags(&fulfillment.tags, "fulfillment.tags", criteria)
}

fn from_person(person: &Person, criteria: &mut Criteria) -> Result<(), Error> {
    const PATH: &str = "fulfillment.agent.person";
    criteria.practitioner_name = person.name.clone();
    criteria.practitioner_id =
        person.id.clone().or_else(|| person.creds.first().and_then(|credential| credential.id.clone()));
    if let Some(gender) = &person.gender {
        criteria.gender = Some(gender.parse().map_err(|problem| wrong(&format!("{PATH}.gender"), problem))?);
    }
    for (index, language) in person.languages.iter().enumerate() {
        let text = language.code.as_deref().or(language.name.as_deref()).unwrap_or_default();
        let language =
            Language::parse(text).map_err(|problem| wrong(&format!("{PATH}.languages[{index}]"), problem))?;
        criteria.languages.push(language);
    }
    if let Some(skill) = person.skills.first() {
        criteria.speciality = skill.code.clone().or_else(|| skill.name.clone()).or(criteria.speciality.take());
    }
    from_tags(&person.tags, &format!("{PATH}.tags"), criteria)
}

fn from_stops(stops: &[Stop], criteria: &mut Criteria) -> Result<(), Error> {
    let (mut from, mut until): (Option<Timestamp>, Option<Timestamp>) = (None, None);
    for (index, stop) in stops.iter().enumerate() {
        let path = format!("fulfillment.stops[{index}]");
        if let Some(location) = &stop.location {
            from_location(location, &path, criteria)?;
        }
        let Some(time) = &stop.time else { continue };
        if let Some(range) = &time.range {
            (from, until) = (range.start.or(from), range.end.or(until));
        }
        match (time.timestamp, stop.r#type.as_deref()) {
            (Some(at), Some("end")) => until = Some(at),
            (Some(at), _) => from = Some(at),
            (None, _) => {}
        }
    }
    criteria.available = match (from, until) {
        (None, None) => None,
        (Some(from), None) => Some(Window { from, until: from.saturating_add(OPEN_WINDOW).unwrap_or(Timestamp::MAX) }),
        (None, Some(until)) => Some(Window { from: Timestamp::MIN, until }),
        (Some(from), Some(until)) if from < until => Some(Window { from, until }),
        (Some(_), Some(_)) => return Err(wrong("fulfillment.stops", "expected an end after the start")),
    };
    Ok(())
}

fn from_location(location: &Location, path: &str, criteria: &mut Criteria) -> Result<(), Error> {
    let circle = location.circle.as_ref();
    let gps = circle.and_then(|circle| circle.gps.as_ref()).or(location.gps.as_ref());
    let radius = circle.and_then(|circle| circle.radius.as_ref()).or(location.radius.as_ref());
    if let Some(gps) = gps {
        let point = Point::new(gps.latitude(), gps.longitude())
            .map_err(|problem| wrong(&format!("{path}.location.gps"), problem))?;
        let radius_path = format!("{path}.location.radius");
        let radius = radius.map_or(Ok(DEFAULT_RADIUS_KM), |radius| kilometres(radius, &radius_path))?;
        criteria.near = Some(Near::new(point, radius).map_err(|problem| wrong(&radius_path, problem))?);
    }
    if let Some(code) = location.city.as_ref().and_then(|city| city.code.as_ref()) {
        criteria.city = Some(
            CityCode::parse(code.as_str()).map_err(|problem| wrong(&format!("{path}.location.city.code"), problem))?,
        );
    }
    Ok(())
}

fn kilometres(radius: &Scalar, path: &str) -> Result<f64, Error> {
    let value = radius.value.and_then(|value| value.to_f64()).ok_or_else(|| wrong(path, "expected a value"))?;
    match radius.unit.as_deref().map(str::to_ascii_lowercase).as_deref() {
        None | Some("" | "km" | "kms" | "kilometre" | "kilometres" | "kilometer" | "kilometers") => Ok(value),
        Some("m" | "metre" | "metres" | "meter" | "meters") => Ok(value / 1000.0),
        Some("mi" | "mile" | "miles") => Ok(value * 1.609_344),
        Some(_) => Err(wrong(&format!("{path}.unit"), "expected km, m or mi")),
    }
}

fn rating_range(text: &str, path: &str) -> Result<RatingRange, Error> {
    let stars = |text: &str| Stars::parse(text.trim()).map_err(|problem| wrong(path, problem));
    let (min, max) = match text.split_once('-') {
        Some((min, max)) => (Some(stars(min)?), Some(stars(max)?)),
        None => (Some(stars(text)?), None),
    };
    if min.zip(max).is_some_and(|(min, max)| min > max) {
        return Err(wrong(path, "expected a range from the lower to the higher rating"));
    }
    Ok(RatingRange { min, max })
}

/// Tag groups by code: the codes DHP and UHI networks use.
fn from_tags(groups: &[TagGroup], path: &str, criteria: &mut Criteria) -> Result<(), Error> {
    for (g, group) in groups.iter().enumerate() {
        for (t, tag) in group.list.iter().enumerate() {
            let code = tag.descriptor.as_ref().and_then(words).or_else(|| group.descriptor.as_ref().and_then(words));
            let (Some(code), Some(value)) = (code, tag.value.as_deref()) else { continue };
            match code.rsplit('/').next().unwrap_or_default() {
                "speciality" | "specialty" | "med_speciality" => criteria.speciality = Some(value.to_owned()),
                "system_of_medicine" | "system_of_med" => criteria.system_of_medicine = Some(value.to_owned()),
                "language" | "languages" | "spoken_langs" => {
                    for language in value.split(',') {
                        let parsed = Language::parse(language.trim());
                        criteria
                            .languages
                            .push(parsed.map_err(|problem| wrong(&format!("{path}[{g}].list[{t}].value"), problem))?);
                    }
                }
                // Tags of other purposes belong to the network, not to the search.
                _ => {}
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    #![allow(clippy::unwrap_used)]
    use super::*;
    use serde_json::json;

    fn read(intent: serde_json::Value) -> Result<Criteria, Error> {
        criteria(&serde_json::from_value(intent).unwrap())
    }

    #[test]
    fn every_criterion_is_found_where_the_table_says() {
        let found = read(json!({
            "category": {"descriptor": {"name": "cardiology"}},
            "provider": {"id": "f-1", "descriptor": {"name": "City"}},
            "item": {"descriptor": {"name": "consultation"}, "price": {"minimum_value": "100", "maximum_value": "900"}},
            "fulfillment": {
                "type": "OPD",
                "agent": {"rating": "3.5-4.5", "person": {"name": "Dr Rao", "gender": "F", "languages": [{"code": "en"}, {"name": "Hindi"}]}},
                "stops": [
                    {"type": "start", "time": {"timestamp": "2026-11-23T00:00:00Z"}, "location": {"gps": "12.9,77.6", "radius": {"value": "500", "unit": "m"}}},
                    {"type": "end", "time": {"timestamp": "2026-11-24T00:00:00Z"}}
                ],
                "tags": [{"list": [{"descriptor": {"code": "@abdm/gov/in/system_of_med"}, "value": "Ayurveda"}]}]
            }
        }))
        .unwrap();
        assert_eq!(found.speciality.as_deref(), Some("cardiology"));
        assert_eq!(found.facility_id.unwrap().as_str(), "f-1");
        assert_eq!(found.practitioner_name.as_deref(), Some("Dr Rao"));
        assert_eq!(found.languages.len(), 2);
        assert_eq!(found.system_of_medicine.as_deref(), Some("Ayurveda"));
        assert!((found.near.unwrap().radius_km() - 0.5).abs() < 1e-9);
        assert_eq!(found.price.unwrap().max.unwrap().to_string(), "900");
        let window = found.available.unwrap();
        assert_eq!(window.until.duration_since(window.from), SignedDuration::from_hours(24));
        assert!(found.rating.unwrap().max.is_some() && found.gender.is_some() && found.consultation_type.is_some());
    }

    #[test]
    fn the_kind_of_service_that_all_are_narrows_nothing() {
        let named = |descriptor| read(json!({"item": {"descriptor": descriptor}})).unwrap().service_name;
        assert_eq!(named(json!({"code": "medical-consultation"})), None);
        assert_eq!(named(json!({"code": "medical-consultation", "name": "Second opinion"})).unwrap(), "Second opinion");
        assert_eq!(named(json!({"code": "second-opinion"})).unwrap(), "second-opinion");
    }

    #[test]
    fn what_cannot_be_understood_is_named() {
        let cases = [
            (json!({"fulfillment": {"type": "by pigeon"}}), "message.intent.fulfillment.type"),
            (json!({"fulfillment": {"agent": {"rating": "good"}}}), "message.intent.fulfillment.agent.rating"),
            (json!({"fulfillment": {"agent": {"rating": "5-1"}}}), "message.intent.fulfillment.agent.rating"),
            (
                json!({"fulfillment": {"agent": {"person": {"languages": [{"code": "en"}, {"code": "Klingon!"}]}}}}),
                "message.intent.fulfillment.agent.person.languages[1]",
            ),
            (
                json!({"fulfillment": {"stops": [{"location": {"gps": "1,1", "radius": {"value": "-4", "unit": "km"}}}]}}),
                "message.intent.fulfillment.stops[0].location.radius",
            ),
            (
                json!({"fulfillment": {"stops": [{"location": {"gps": "1,1", "radius": {"value": "4", "unit": "parsec"}}}]}}),
                "message.intent.fulfillment.stops[0].location.radius.unit",
            ),
            (
                json!({"fulfillment": {"stops": [{"time": {"range": {"start": "2026-11-24T00:00:00Z", "end": "2026-11-23T00:00:00Z"}}}]}}),
                "message.intent.fulfillment.stops",
            ),
            (json!({"item": {"price": {"minimum_value": "9", "maximum_value": "1"}}}), "message.intent.item.price"),
            (json!({"provider": {"id": "a#b"}}), "message.intent.provider.id"),
        ];
        for (intent, path) in cases {
            let error = read(intent.clone()).unwrap_err();
            assert_eq!(error.paths.as_deref(), Some(path), "{intent}");
        }
    }
}
