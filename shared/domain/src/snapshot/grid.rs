//! Finding what is near, without looking at what is far.
//!
//! Invariant: [`Rings`] yields every entry of its grids within the limit, once, by distance and
//! then by id; it has looked at every cell a radius touches before it yields anything at that
//! distance. The globe is cut into rows of equal height; each row into as many columns as keep
//! cells about square, so cells near a pole are few and the antimeridian is an edge like others.
//!
//! Only occupied cells exist, and the radius grows by a factor, so the cost follows what is found,
//! not the size of the circle.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BinaryHeap, HashSet};

use crate::catalogue::{EARTH_RADIUS_KM, Facility, Point};
use crate::search::Near;

/// Height of a cell in degrees: 1.1 km.
const CELL: f64 = 0.01;
const ROWS: u32 = 18_000;
/// The first radius looked at, in kilometres.
const FIRST_KM: f64 = 1.0;
const GROWTH: f64 = 1.6;

/// Entries by cell.
#[derive(Debug)]
pub(super) struct Grid {
    rows: BTreeMap<u32, Vec<Cell>>,
    /// Facility and entry; those of one cell, and in it of one facility, stand together.
    items: Vec<(u32, u32)>,
}

#[derive(Debug)]
struct Cell {
    column: u32,
    start: u32,
    end: u32,
}

fn row_of(lat: f64) -> u32 {
    // In range by the type of `Point`; the North Pole belongs to the last row.
    (((lat + 90.0) / CELL) as u32).min(ROWS - 1)
}

fn columns(row: u32) -> u32 {
    let south = f64::from(row) * CELL - 90.0;
    let widest = south.abs().min((south + CELL).abs());
    ((360.0 * widest.to_radians().cos() / CELL) as u32).max(1)
}

/// May be negative or beyond the last column; the caller wraps it around.
fn column_of(lon: f64, columns: u32) -> i64 {
    ((lon + 180.0) / 360.0 * f64::from(columns)).floor() as i64
}

fn wrap(column: i64, columns: u32) -> u32 {
    column.rem_euclid(i64::from(columns)) as u32
}

impl Grid {
    pub(super) fn new(items: Vec<(u32, u32)>, facilities: &[Facility]) -> Self {
        let cell = |facility: u32| {
            let at = facilities[facility as usize].location;
            let row = row_of(at.lat());
            let columns = columns(row);
            (row, wrap(column_of(at.lon(), columns), columns))
        };
        let mut placed: Vec<(u32, u32, u32, u32)> = items
            .into_iter()
            .map(|(facility, entry)| {
                let (row, column) = cell(facility);
                (row, column, facility, entry)
            })
            .collect();
        placed.sort_unstable();
        let mut rows: BTreeMap<u32, Vec<Cell>> = BTreeMap::new();
        for ((row, column, _, _), index) in placed.iter().zip(0u32..) {
            let cells = rows.entry(*row).or_default();
            match cells.last_mut() {
                Some(cell) if cell.column == *column => cell.end = index + 1,
                _ => cells.push(Cell { column: *column, start: index, end: index + 1 }),
            }
        }
        let items = placed.into_iter().map(|(_, _, facility, entry)| (facility, entry)).collect();
        Self { rows, items }
    }

    /// Calls back with the occupied cells that a circle may touch.
    fn cells_near(&self, at: &Point, radius_km: f64, mut found: impl FnMut(&Cell)) {
        // A metre more than asked, so that rounding can never leave a cell out.
        let angle = (radius_km + 0.001) / EARTH_RADIUS_KM * 1.000_001;
        let (south, north) = (at.lat() - angle.to_degrees(), at.lat() + angle.to_degrees());
        let over_a_pole = south <= -90.0 || north >= 90.0;
        let reach = match over_a_pole {
            true => 180.0,
            // How far east and west the circle reaches, at its widest.
            false => (angle.sin() / at.lat().to_radians().cos()).min(1.0).asin().to_degrees(),
        };
        let rows = row_of(south.max(-90.0))..=row_of(north.min(90.0));
        for (row, cells) in self.rows.range(rows) {
            let columns = columns(*row);
            let first = column_of(at.lon() - reach, columns);
            let last = column_of(at.lon() + reach, columns);
            if last - first + 1 >= i64::from(columns) {
                cells.iter().for_each(&mut found);
                continue;
            }
            let (first, last) = (wrap(first, columns), wrap(last, columns));
            let ranges = match first <= last {
                true => [(first, last), (1, 0)],
                false => [(first, columns), (0, last)],
            };
            for (first, last) in ranges {
                let start = cells.partition_point(|cell| cell.column < first);
                let near = cells[start..].iter().take_while(|cell| cell.column <= last);
                near.for_each(&mut found);
            }
        }
    }
}

/// Entries by distance, from the nearest outward.
#[derive(Debug)]
pub(super) struct Rings<'a> {
    grids: Vec<(&'a Grid, HashSet<u32>)>,
    facilities: &'a [Facility],
    id_rank: &'a [u32],
    near: Near,
    /// Everything within this distance has been looked at.
    reached_km: f64,
    /// Distance (as bits, whose order is that of the numbers: none is negative), place in the
    /// order of ids, entry.
    waiting: BinaryHeap<Reverse<(u64, u32, u32)>>,
    last: Option<u32>,
    /// How many entries have been looked at.
    pub(super) seen: usize,
}

impl<'a> Rings<'a> {
    pub(super) fn new(
        grids: impl IntoIterator<Item = &'a Grid>,
        facilities: &'a [Facility],
        id_rank: &'a [u32],
        near: Near,
    ) -> Self {
        Self {
            grids: grids.into_iter().map(|grid| (grid, HashSet::new())).collect(),
            facilities,
            id_rank,
            near,
            reached_km: 0.0,
            waiting: BinaryHeap::new(),
            last: None,
            seen: 0,
        }
    }

    fn grow(&mut self) {
        let next = (self.reached_km * GROWTH).max(FIRST_KM).min(self.near.radius_km());
        let (at, limit) = (self.near.point(), self.near.radius_km());
        let (facilities, id_rank) = (self.facilities, self.id_rank);
        for (grid, visited) in &mut self.grids {
            grid.cells_near(at, next, |cell| {
                if !visited.insert(cell.start) {
                    return;
                }
                let items = &grid.items[cell.start as usize..cell.end as usize];
                self.seen += items.len();
                // Neighbours in the list are often at one facility: measure it once.
                let mut measured = None;
                for &(facility, entry) in items {
                    let distance = match measured {
                        Some((same, distance)) if same == facility => distance,
                        _ => at.distance_km(&facilities[facility as usize].location),
                    };
                    measured = Some((facility, distance));
                    if distance <= limit {
                        let rank = id_rank[entry as usize];
                        self.waiting.push(Reverse((distance.to_bits(), rank, entry)));
                    }
                }
            });
        }
        self.reached_km = next;
    }
}

impl Iterator for Rings<'_> {
    type Item = (u32, f64);

    fn next(&mut self) -> Option<(u32, f64)> {
        loop {
            if let Some(Reverse((bits, _, entry))) = self.waiting.peek().copied() {
                let distance = f64::from_bits(bits);
                if distance <= self.reached_km {
                    self.waiting.pop();
                    // An entry of two specialities is in both grids, at one distance.
                    if self.last.replace(entry) != Some(entry) {
                        return Some((entry, distance));
                    }
                    continue;
                }
            }
            if self.reached_km >= self.near.radius_km() {
                return None;
            }
            self.grow();
        }
    }
}
