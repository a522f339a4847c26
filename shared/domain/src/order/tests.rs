//! The life cycle's rules, one by one and under random events.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::collections::HashMap;

use proptest::prelude::*;
use serde_json::json;

use super::*;

const START: &str = "2026-11-23T10:00:00Z";

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn minutes(count: i64) -> SignedDuration {
    SignedDuration::from_mins(count)
}

/// A quarter of an hour, counted from 10:00.
fn slot(index: i64) -> Slot {
    let start = at(START) + minutes(15 * index);
    Slot { start, end: start + minutes(15) }
}

fn practitioner() -> Practitioner {
    serde_json::from_value(json!({"id": "p1", "name": "Asha Nair", "gender": "female",
        "registration_id": "hpr-1", "system_of_medicine": "Allopathy", "schedule": {},
        "services": [{"id": "s1", "facility_id": "f1", "department_id": "d1", "consultation_type": "physical",
            "fee": {"currency": "INR", "consultation": 1000, "registration": 400, "cgst_percent": 5, "sgst_percent": 5}}]}))
    .unwrap()
}

fn held(id: &str, slot: Slot, now: Timestamp) -> Order {
    let who = practitioner();
    let id = OrderId::parse(id).unwrap();
    Order::hold(id, "bap.example", "txn-1", &who, &who.services[0], slot, now).unwrap()
}

fn go(order: &Order, events: &[Event], now: Timestamp) -> Order {
    events.iter().fold(order.clone(), |order, event| order.apply(event.clone(), now).unwrap())
}

fn why(order: &Order, event: Event, now: Timestamp) -> RefusalReason {
    let refusal = order.apply(event.clone(), now).unwrap_err();
    assert_eq!(refusal.event(), event.kind());
    assert_eq!(refusal.from_state(), Some(order.state().kind()));
    assert!(refusal.message().len() > 10);
    refusal.reason()
}

fn cancel(by: Party) -> Event {
    Event::Cancel { by, reason: Some("I have a fever".into()) }
}

fn offers(index: i64) -> SlotOffers {
    SlotOffers::new(vec![slot(index)]).unwrap()
}

#[test]
fn a_hold_lasts_ten_minutes_but_never_into_the_slot() {
    let early = at("2026-11-23T08:00:00Z");
    assert_eq!(held("o1", slot(0), early).state().lapses_at(), Some(early + minutes(10)));
    let late = at("2026-11-23T09:55:00Z");
    assert_eq!(held("o1", slot(0), late).state().lapses_at(), Some(slot(0).start));
}

#[test]
fn past_and_distant_slots_cannot_be_held() {
    let who = practitioner();
    let hold = |now| {
        let id = OrderId::parse("o1").unwrap();
        Order::hold(id, "bap.example", "txn-1", &who, &who.services[0], slot(0), now).unwrap_err().reason()
    };
    assert_eq!(hold(at(START)), RefusalReason::SlotPast);
    assert_eq!(hold(at("2026-08-01T00:00:00Z")), RefusalReason::BeyondHorizon);
}

#[test]
fn confirm_works_once_and_only_while_the_hold_counts() {
    let now = at("2026-11-23T08:00:00Z");
    let order = held("o1", slot(0), now);
    let last = now + minutes(10) - SignedDuration::from_nanos(1);
    let confirmed = order.apply(Event::Confirm, last).unwrap();
    assert_eq!(*confirmed.state(), State::Confirmed { at: last });
    assert_eq!((order.version(), confirmed.version()), (1, 2));
    assert_eq!(why(&confirmed, Event::Confirm, last), RefusalReason::AlreadyConfirmed);
    assert_eq!(why(&order, Event::Confirm, now + minutes(10)), RefusalReason::OfferExpired);
}

#[test]
fn init_again_moves_the_hold_but_does_not_stretch_it() {
    let now = at("2026-11-23T08:00:00Z");
    let order = held("o1", slot(0), now);
    let again = go(&order, &[Event::Hold { slot: slot(0) }], now + minutes(5));
    assert_eq!(again.state().lapses_at(), Some(now + minutes(10)));
    let moved = go(&order, &[Event::Hold { slot: slot(3) }], now + minutes(5));
    assert_eq!(moved.slot(), slot(3));
    assert_eq!(moved.slot_id().to_string(), "s1@20261123T104500Z");
    assert_eq!(moved.state().lapses_at(), Some(now + minutes(15)));
    let renewed = go(&order, &[Event::Hold { slot: slot(0) }], now + minutes(30));
    assert_eq!(renewed.state().lapses_at(), Some(now + minutes(40)));
    let confirmed = go(&order, &[Event::Confirm], now);
    assert_eq!(why(&confirmed, Event::Hold { slot: slot(3) }, now), RefusalReason::AlreadyConfirmed);
}

#[test]
fn the_consumer_cancels_until_anything_has_started() {
    let now = at("2026-11-23T08:00:00Z");
    let confirmed = go(&held("o1", slot(0), now), &[Event::Confirm], now);
    let cancelled = go(&confirmed, &[cancel(Party::Consumer)], now);
    assert!(matches!(cancelled.state(), State::Cancelled { by: Party::Consumer, .. }));
    assert_eq!(cancelled.strikes(), Strikes::default());
    assert_eq!(why(&cancelled, cancel(Party::Consumer), now), RefusalReason::AlreadyCancelled);
    assert_eq!(why(&confirmed, cancel(Party::Consumer), slot(0).start), RefusalReason::NotCancellable);
    let begun = go(&confirmed, &[Event::StartPreConsult], now);
    assert_eq!(why(&begun, cancel(Party::Consumer), now), RefusalReason::NotCancellable);
    let by_provider = go(&begun, &[cancel(Party::Provider)], now);
    assert_eq!(by_provider.strikes(), Strikes { consumer: 0, provider: 1 });
    let talking = go(&confirmed, &[Event::StartConsultation], now);
    for by in [Party::Consumer, Party::Provider] {
        assert_eq!(why(&talking, cancel(by), now), RefusalReason::NotCancellable);
    }
}

#[test]
fn the_whole_way_with_its_views() {
    let now = at("2026-11-23T09:55:00Z");
    let order = held("o1", slot(0), now);
    let view = |order: &Order| {
        let state = order.state();
        let tracking = state.tracking_code().map(|code| code.code());
        (state.fulfillment_state().code, tracking, state.order_status().as_str())
    };
    assert_eq!(view(&order), ("slot-booked", None, "ACTIVE"));
    let steps = [
        (Event::Confirm, ("slot-confirmed", Some("T01_0001"), "ACTIVE")),
        (Event::StartPreConsult, ("preconsult-in-progress", Some("T01_0002"), "ACTIVE")),
        (Event::CompletePreConsult, ("preconsult-completed", Some("T01_0003"), "ACTIVE")),
        (Event::StartConsultation, ("appointment-in-progress", Some("T01_0004"), "ACTIVE")),
        (Event::Complete, ("appointment-completed", Some("T01_0005"), "COMPLETE")),
        (Event::Close, ("appointment-closed", Some("T01_0006"), "COMPLETE")),
    ];
    let mut order = order;
    for (event, expected) in steps {
        order = order.apply(event, now).unwrap();
        assert_eq!(view(&order), expected);
        let json = serde_json::to_string(&order).unwrap();
        assert_eq!(serde_json::from_str::<Order>(&json).unwrap(), order);
    }
    assert_eq!(order.version(), 7);
    let cancelled = go(&held("o2", slot(0), now), &[cancel(Party::Consumer)], now);
    assert_eq!(view(&cancelled), ("slot-cancelled", None, "CANCELLED"));
}

#[test]
fn steps_cannot_be_skipped() {
    let now = at("2026-11-23T09:55:00Z");
    let order = held("o1", slot(0), now);
    assert_eq!(why(&order, Event::StartConsultation, now), RefusalReason::NotConfirmed);
    let confirmed = go(&order, &[Event::Confirm], now);
    assert_eq!(why(&confirmed, Event::Complete, now), RefusalReason::NotStarted);
    assert_eq!(why(&confirmed, Event::Close, now), RefusalReason::NotStarted);
    assert_eq!(why(&confirmed, Event::CompletePreConsult, now), RefusalReason::NotStarted);
    assert_eq!(why(&confirmed, Event::StartConsultation, slot(0).end), RefusalReason::SlotPast);
    let pre = go(&confirmed, &[Event::StartPreConsult], now);
    assert_eq!(why(&pre, Event::StartConsultation, now), RefusalReason::AlreadyStarted);
    let done = go(&confirmed, &[Event::StartConsultation, Event::Complete], now);
    assert_eq!(why(&done, Event::Reschedule { slot: slot(9) }, now), RefusalReason::AlreadyCompleted);
}

#[test]
fn a_miss_is_announced_after_the_start_and_is_a_strike() {
    let now = at("2026-11-23T09:55:00Z");
    let confirmed = go(&held("o1", slot(0), now), &[Event::Confirm], now);
    let miss = |by| Event::Miss { by };
    assert_eq!(why(&confirmed, miss(Party::Consumer), now), RefusalReason::NotStarted);
    let later = slot(0).start + minutes(10);
    let missed = go(&confirmed, &[miss(Party::Consumer)], later);
    assert_eq!(missed.strikes(), Strikes { consumer: 1, provider: 0 });
    assert_eq!(missed.state().order_status(), OrderStatus::Active);
    assert_eq!(why(&missed, cancel(Party::Consumer), later), RefusalReason::NotCancellable);
    // The provider may end it without being blamed for it, or offer another time.
    assert_eq!(go(&missed, &[cancel(Party::Provider)], later).strikes().provider, 0);
    let until = later + minutes(60);
    let offered = go(&missed, &[Event::OfferReschedule { offers: offers(20), until }], later);
    let accepted = go(&offered, &[Event::AcceptOffer { start: slot(20).start }], later);
    assert_eq!((accepted.slot(), accepted.state().kind()), (slot(20), StateKind::Confirmed));
    // A provider's miss can be ended by the consumer.
    let by_provider = go(&confirmed, &[miss(Party::Provider)], later);
    assert_eq!(by_provider.strikes(), Strikes { consumer: 0, provider: 1 });
    assert!(by_provider.apply(cancel(Party::Consumer), later).is_ok());
}

#[test]
fn a_provider_reschedules_by_offering_and_the_offer_lapses() {
    let now = at("2026-11-23T08:00:00Z");
    let confirmed = go(&held("o1", slot(0), now), &[Event::Confirm], now);
    let until = now + minutes(30);
    let offer = Event::OfferReschedule { offers: offers(4), until };
    assert_eq!(why(&confirmed, offer.clone(), slot(0).start), RefusalReason::SlotPast);
    assert_eq!(
        why(&confirmed, Event::OfferReschedule { offers: offers(4), until: now }, now),
        RefusalReason::OfferExpired
    );
    let offered = go(&confirmed, &[offer], now);
    assert_eq!(offered.slot(), slot(0), "the old slot stays until another is accepted");
    assert_eq!(why(&offered, Event::AcceptOffer { start: slot(5).start }, now), RefusalReason::NotOffered);
    assert_eq!(why(&offered, Event::AcceptOffer { start: slot(4).start }, until), RefusalReason::OfferExpired);
    assert_eq!(why(&offered, Event::StartConsultation, now), RefusalReason::RescheduleOpen);
    assert_eq!(why(&offered, Event::Lapse, now), RefusalReason::NotDue);
    let lapsed = go(&offered, &[Event::Lapse], until);
    assert!(matches!(
        lapsed.state(),
        State::Cancelled { by: Party::Provider, reason: CancelReason::RescheduleExpired, .. }
    ));
    assert_eq!(lapsed.claim(), None);
    assert!(SlotOffers::new(vec![]).is_none(), "no offer without a slot");
}

#[test]
fn a_consumer_reschedules_until_the_start_and_keeps_the_notes() {
    let now = at("2026-11-23T08:00:00Z");
    let order =
        go(&held("o1", slot(0), now), &[Event::Confirm, Event::StartPreConsult, Event::CompletePreConsult], now);
    let moved = go(&order, &[Event::Reschedule { slot: slot(8) }], now);
    assert_eq!((moved.slot(), moved.state().kind()), (slot(8), StateKind::PreConsultCompleted));
    assert_eq!(why(&order, Event::Reschedule { slot: slot(8) }, slot(0).start), RefusalReason::SlotPast);
    assert_eq!(why(&order, Event::Reschedule { slot: slot(-20) }, now), RefusalReason::SlotPast);
    let offered = go(&order, &[Event::OfferReschedule { offers: offers(4), until: now + minutes(5) }], now);
    let accepted = go(&offered, &[Event::AcceptOffer { start: slot(4).start }], now);
    assert_eq!(accepted.state().kind(), StateKind::PreConsultCompleted);
}

#[test]
fn a_lapsed_hold_is_refused_as_expired_everywhere() {
    let now = at("2026-11-23T08:00:00Z");
    let order = held("o1", slot(0), now);
    let late = now + minutes(11);
    assert_eq!(order.check_update(late).unwrap_err().reason(), RefusalReason::OfferExpired);
    assert_eq!(order.pay(None, late).unwrap_err().reason(), RefusalReason::OfferExpired);
    let cancelled = go(&order, &[Event::Lapse], late);
    assert_eq!(why(&cancelled, Event::Confirm, late), RefusalReason::OfferExpired);
    assert_eq!(cancelled.strikes(), Strikes::default());
}

#[test]
fn updates_ratings_payment_and_follow_up_have_their_time() {
    let now = at("2026-11-23T09:55:00Z");
    let confirmed = go(&held("o1", slot(0), now), &[Event::Confirm], now);
    assert!(confirmed.check_update(now).is_ok());
    for category in RatingCategory::ALL {
        let allowed = confirmed.check_rating(category).is_ok();
        assert_eq!(allowed, category == RatingCategory::Support, "{category:?}");
    }
    let paid = confirmed.pay(Some("ref-1".into()), now).unwrap();
    assert_eq!(paid.payment().status, PaymentStatus::Paid);
    assert_eq!(serde_json::to_value(paid.payment()).unwrap()["status"], "PAID");
    assert_eq!(paid.amount().to_string(), "1500");

    let follow_up = FollowUp {
        service_id: ServiceId::parse("s1").unwrap(),
        offers: offers(40),
        quote: confirmed.quote().clone(),
        until: now + minutes(60),
    };
    let offer = Event::OfferFollowUp(follow_up.clone());
    assert_eq!(why(&confirmed, offer.clone(), now), RefusalReason::NotStarted);
    let done = go(&confirmed, &[Event::StartConsultation, Event::Complete, offer], now);
    assert_eq!(done.follow_up(now), Some(&follow_up));
    assert_eq!(done.follow_up(now + minutes(60)), None);
    assert!(RatingCategory::ALL.iter().all(|category| done.check_rating(*category).is_ok()));
    assert_eq!(done.check_update(now).unwrap_err().reason(), RefusalReason::AlreadyCompleted);
}

#[test]
fn a_reason_stays_out_of_debug() {
    let now = at("2026-11-23T09:55:00Z");
    let cancelled = go(&held("o1", slot(0), now), &[cancel(Party::Consumer)], now);
    assert!(!format!("{cancelled:?} {:?}", cancel(Party::Consumer)).contains("fever"));
    assert!(serde_json::to_string(&cancelled).unwrap().contains("fever"));
}

/// The table again, as plain data and without times: what may follow what.
fn allowed(from: StateKind, event: EventKind) -> &'static [StateKind] {
    use EventKind as E;
    use StateKind as S;
    match (from, event) {
        (S::Held, E::Hold) => &[S::Held],
        (S::Held, E::Confirm) => &[S::Confirmed],
        (S::Held, E::Lapse) | (S::RescheduleOffered, E::Lapse) => &[S::Cancelled],
        (S::Held | S::Confirmed | S::PreConsultInProgress | S::PreConsultCompleted, E::Cancel)
        | (S::Missed | S::RescheduleOffered, E::Cancel) => &[S::Cancelled],
        (S::Confirmed, E::StartPreConsult) => &[S::PreConsultInProgress],
        (S::PreConsultInProgress, E::CompletePreConsult) => &[S::PreConsultCompleted],
        (S::Confirmed | S::PreConsultCompleted, E::StartConsultation) => &[S::InConsultation],
        (S::InConsultation, E::Complete) => &[S::Completed],
        (S::Completed, E::Close) => &[S::Closed],
        (S::Completed, E::OfferFollowUp) => &[S::Completed],
        (S::Closed, E::OfferFollowUp) => &[S::Closed],
        (S::Confirmed | S::PreConsultInProgress | S::PreConsultCompleted, E::Miss) => &[S::Missed],
        (S::Confirmed, E::Reschedule) => &[S::Confirmed],
        (S::PreConsultInProgress, E::Reschedule) => &[S::PreConsultInProgress],
        (S::PreConsultCompleted, E::Reschedule) => &[S::PreConsultCompleted],
        (S::Confirmed | S::PreConsultInProgress | S::PreConsultCompleted | S::Missed, E::OfferReschedule) => {
            &[S::RescheduleOffered]
        }
        (S::RescheduleOffered, E::AcceptOffer) => &[S::Confirmed, S::PreConsultCompleted],
        _ => &[],
    }
}

fn any_event() -> impl Strategy<Value = Event> {
    let any_slot = (-8i64..40).prop_map(slot);
    let party = prop::sample::select(vec![Party::Consumer, Party::Provider]);
    prop_oneof![
        1 => any_slot.clone().prop_map(|slot| Event::Hold { slot }),
        3 => Just(Event::Confirm),
        2 => Just(Event::StartPreConsult),
        2 => Just(Event::CompletePreConsult),
        2 => Just(Event::StartConsultation),
        2 => Just(Event::Complete),
        1 => Just(Event::Close),
        1 => party.clone().prop_map(|by| Event::Cancel { by, reason: None }),
        1 => party.prop_map(|by| Event::Miss { by }),
        1 => any_slot.clone().prop_map(|slot| Event::Reschedule { slot }),
        2 => (any_slot.clone(), 0i64..300).prop_map(|(slot, after)| Event::OfferReschedule {
            offers: SlotOffers::new(vec![slot]).unwrap(),
            until: at(START) + minutes(after),
        }),
        2 => any_slot.clone().prop_map(|slot| Event::AcceptOffer { start: slot.start }),
        1 => Just(Event::Lapse),
        1 => (any_slot, 0i64..300).prop_map(|(slot, after)| Event::OfferFollowUp(FollowUp {
            service_id: ServiceId::parse("s1").unwrap(),
            offers: SlotOffers::new(vec![slot]).unwrap(),
            quote: Quote::from_fee(&practitioner().services[0].fee),
            until: at(START) + minutes(after),
        })),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]

    #[test]
    fn random_events_stay_within_the_table(
        steps in prop::collection::vec((any_event(), 0i64..12), 1..40)
    ) {
        let mut now = at("2026-11-23T09:30:00Z");
        let mut order = held("o1", slot(0), now);
        for (event, pause) in steps {
            now += minutes(pause);
            let (kind, event_kind) = (order.state().kind(), event.kind());
            match order.apply(event.clone(), now) {
                Ok(next) => {
                    prop_assert!(allowed(kind, event_kind).contains(&next.state().kind()), "{kind:?} {event:?}");
                    prop_assert_eq!(next.version(), order.version() + 1);
                    if order.state().is_final() {
                        prop_assert_eq!(next.state(), order.state());
                        prop_assert!(kind == StateKind::Closed, "{:?}", kind);
                    }
                    if matches!(event, Event::Confirm | Event::AcceptOffer { .. }) {
                        prop_assert!(!order.state().lapsed(now));
                    }
                    if next.slot() != order.slot() {
                        prop_assert!(next.slot().start > now);
                    }
                    if let State::Held { expires_at } = next.state() {
                        prop_assert!(*expires_at <= next.slot().start && *expires_at <= now + HOLD);
                    }
                    prop_assert_eq!(next.claim().is_none(), next.state().kind() == StateKind::Cancelled);
                    order = next;
                }
                Err(refusal) => {
                    prop_assert_eq!(refusal.event(), event_kind);
                    prop_assert_eq!(refusal.from_state(), Some(kind));
                    prop_assert!(!refusal.message().is_empty());
                }
            }
        }
    }

    /// Several orders over few slots, each change written only if its claim is free: no slot ever
    /// has two orders that count.
    #[test]
    fn a_slot_never_has_two_live_orders(
        steps in prop::collection::vec((0usize..4, any_event(), 0i64..6), 1..60)
    ) {
        let mut now = at("2026-11-23T09:30:00Z");
        let mut rows: HashMap<Timestamp, SlotClaim> = HashMap::new();
        let mut orders: Vec<Option<Order>> = vec![None; 4];
        for (who, event, pause) in steps {
            now += minutes(pause);
            let old = orders[who].clone();
            // Four slots only, so that the orders collide.
            let near = |slot: Slot| super::tests::slot((slot.start.duration_since(at(START)).as_mins() / 15).rem_euclid(4) + 1);
            let event = match event {
                Event::Hold { slot } => Event::Hold { slot: near(slot) },
                Event::Reschedule { slot } => Event::Reschedule { slot: near(slot) },
                event => event,
            };
            let next = match &old {
                None => {
                    let wanted = if let Event::Hold { slot } = event { slot } else { slot(1) };
                    if wanted.bookable(now).is_err() { continue; }
                    Ok(held(&format!("o{who}"), wanted, now))
                }
                Some(order) => order.apply(event, now),
            };
            let Ok(next) = next else { continue };
            if let Some(claim) = next.claim() {
                let row = rows.get(&next.slot().start);
                if !row.is_none_or(|row| row.is_free_for(next.id(), now)) { continue; }
                rows.insert(next.slot().start, claim);
            }
            // The slot given up is freed, but only if the row is still this order's.
            if let Some(old) = &old && (old.slot() != next.slot() || next.claim().is_none())
                && rows.get(&old.slot().start).is_some_and(|row| row.order_id == *old.id()) {
                rows.remove(&old.slot().start);
            }
            orders[who] = Some(next);
            let mut live: HashMap<Timestamp, usize> = HashMap::new();
            for order in orders.iter().flatten() {
                if order.claim().is_some_and(|claim| !claim.is_lapsed(now)) {
                    *live.entry(order.slot().start).or_default() += 1;
                }
            }
            prop_assert!(live.values().all(|count| *count <= 1), "{live:?}");
        }
    }
}
