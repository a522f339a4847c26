//! What DynamoDB and SQS bill for a call, from the bytes of its items and messages.
//!
//! Invariant: a unit is never counted from what a call says of itself, only from what it reads, writes or carries.

use base64::Engine as _;
use serde_json::Value;

/// Bytes of one write unit, and of one entry of an index.
const WRITE_UNIT: usize = 1_024;
/// Bytes of one read unit.
const READ_UNIT: usize = 4_096;
/// Bytes of an SQS payload billed as one request.
const SQS_CHUNK: usize = 64 * 1_024;

/// Bytes of an item in DynamoDB's JSON, as DynamoDB counts them: names and values, numbers packed two digits to a byte.
#[must_use]
pub fn item_bytes(item: &Value) -> usize {
    item.as_object().into_iter().flatten().map(|(name, value)| name.len() + value_bytes(value)).sum()
}

fn value_bytes(value: &Value) -> usize {
    let Some((kind, held)) = value.as_object().and_then(|value| value.iter().next()) else { return 0 };
    let text = held.as_str().unwrap_or_default();
    match kind.as_str() {
        "S" => text.len(),
        "N" => text.bytes().filter(u8::is_ascii_digit).count().div_ceil(2) + 1,
        "B" => base64::engine::general_purpose::STANDARD.decode(text).map_or(text.len(), |bytes| bytes.len()),
        "M" => {
            let entries = held.as_object().into_iter().flatten();
            3 + entries.map(|(name, value)| 1 + name.len() + value_bytes(value)).sum::<usize>()
        }
        "L" => 3 + held.as_array().into_iter().flatten().map(|value| 1 + value_bytes(value)).sum::<usize>(),
        _ => 1,
    }
}

/// Read units of one item or of one query of so many bytes; what is not there costs as much as the smallest item.
#[must_use]
pub fn read_units(bytes: usize, consistent: bool) -> f64 {
    let whole = bytes.div_ceil(READ_UNIT).max(1) as f64;
    if consistent { whole } else { whole / 2.0 }
}

/// Write units of one write, by the item before and after it: the larger one counts.
#[must_use]
pub fn write_units(before: Option<&Value>, after: Option<&Value>, transactional: bool) -> f64 {
    let larger = [before, after].into_iter().flatten().map(item_bytes).max().unwrap_or_default();
    let units = larger.div_ceil(WRITE_UNIT).max(1) as f64;
    if transactional { units * 2.0 } else { units }
}

/// Write units of the indexes (all are keys-only, so an entry is one unit): one for an entry that comes or goes, two for one
/// that moves.
#[must_use]
pub fn index_units(before: Option<&Value>, after: Option<&Value>) -> f64 {
    let indexes = |item: Option<&Value>| -> Vec<String> {
        let names = item.and_then(Value::as_object).into_iter().flatten().map(|(name, _)| name.clone());
        names.filter_map(|name| name.strip_suffix("_pk").map(str::to_owned)).collect()
    };
    let mut names = indexes(before);
    names.extend(indexes(after));
    names.sort();
    names.dedup();
    let entry = |item: Option<&Value>, index: &str| {
        let item = item?;
        Some((item.get(format!("{index}_pk"))?.clone(), item.get(format!("{index}_sk"))?.clone()))
    };
    let units = names.iter().map(|index| match (entry(before, index), entry(after, index)) {
        (Some(was), Some(is)) if was == is => 0.0,
        (Some(_), Some(_)) => 2.0,
        (None, None) => 0.0,
        _ => 1.0,
    });
    units.sum()
}

/// Requests as which SQS bills one call that carries so many bytes.
#[must_use]
pub fn sqs_requests(bytes: usize) -> f64 {
    bytes.div_ceil(SQS_CHUNK).max(1) as f64
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn an_item_is_as_large_as_its_names_and_values() {
        let item =
            json!({ "pk": { "S": "abc" }, "n": { "N": "1234567" }, "b": { "B": "AAECAw==" }, "t": { "BOOL": true } });
        assert_eq!(item_bytes(&item), (2 + 3) + (1 + 5) + (1 + 4) + (1 + 1));
        let nested = json!({ "m": { "M": { "a": { "S": "xy" } } }, "l": { "L": [{ "S": "z" }] } });
        assert_eq!(item_bytes(&nested), (1 + 3 + 1 + 1 + 2) + (1 + 3 + 1 + 1));
    }

    #[test]
    fn units_are_rounded_up_item_by_item() {
        assert_eq!((read_units(0, true), read_units(4_096, true), read_units(4_097, true)), (1.0, 1.0, 2.0));
        assert_eq!(read_units(100, false), 0.5);
        let item = |length: usize| json!({ "a": { "S": "x".repeat(length) } });
        assert_eq!(write_units(None, Some(&item(1_023)), false), 1.0);
        assert_eq!(write_units(None, Some(&item(1_024)), true), 4.0);
        assert_eq!(write_units(Some(&item(3_000)), None, false), 3.0);
        assert_eq!((sqs_requests(10), sqs_requests(65_537)), (1.0, 2.0));
    }

    #[test]
    fn an_index_is_written_when_its_entry_changes() {
        let held = json!({ "due_pk": { "S": "1#0" }, "due_sk": { "S": "k" } });
        let later = json!({ "due_pk": { "S": "2#0" }, "due_sk": { "S": "k" } });
        let booked = json!({ "pk": { "S": "k" } });
        let units = |before, after| index_units(before, after);
        assert_eq!(units(None, Some(&held)), 1.0);
        assert_eq!(units(Some(&held), Some(&held)), 0.0);
        assert_eq!(units(Some(&held), Some(&later)), 2.0);
        assert_eq!(units(Some(&held), Some(&booked)), 1.0);
        assert_eq!(units(None, Some(&booked)), 0.0);
    }
}
