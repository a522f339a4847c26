//! One walk over a parsed message and its shape.
//!
//! Invariant: after a walk without a fault, every known field of the message has its form.

use std::fmt;

use serde_json::{Map, Value};

use crate::fault::Fault;
use crate::wire::{Field, Shape, kind};

use super::faults::{self, Findings, Meant, Zone};

/// Where the walk is. It lives on the stack and is written out only for a fault.
#[derive(Clone, Copy)]
pub(super) enum Path<'a> {
    /// `context` or `message`.
    Root(&'static str),
    /// A field of what the parent names.
    Field(&'a Path<'a>, &'a str),
    /// An element of what the parent names.
    Element(&'a Path<'a>, usize),
}

impl fmt::Display for Path<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Root(name) => f.write_str(name),
            Self::Field(parent, name) => write!(f, "{parent}.{name}"),
            Self::Element(parent, index) => write!(f, "{parent}[{index}]"),
        }
    }
}

/// A walk: where known faults are reported, and the zone of times that have none.
pub(super) struct Walk<'f> {
    findings: &'f mut Findings,
    zone: Zone,
}

impl<'f> Walk<'f> {
    pub(super) fn new(findings: &'f mut Findings, zone: Zone) -> Self {
        Self { findings, zone }
    }

    /// Checks the fields of an object and that the required ones are there. A shape that is not an
    /// object's checks nothing.
    pub(super) fn object(
        &mut self,
        object: &mut Map<String, Value>,
        shape: Shape,
        path: Path<'_>,
    ) -> Result<(), Fault> {
        self.partial_object(object, shape, path)?;
        let Shape::Object(_, fields) = shape else {
            return Ok(());
        };
        match fields().iter().find(|field| field.required && object.get(field.name).is_none_or(Value::is_null)) {
            None => Ok(()),
            Some(field) => Err(Fault::invalid(
                Path::Field(&path, field.name).to_string(),
                format!("expected {}, found none", field.shape.expected()),
            )),
        }
    }

    /// Checks the fields an object has; the required ones may be missing.
    pub(super) fn partial_object(
        &mut self,
        object: &mut Map<String, Value>,
        shape: Shape,
        path: Path<'_>,
    ) -> Result<(), Fault> {
        let Shape::Object(_, fields) = shape else {
            return Ok(());
        };
        let fields = fields();
        self.rename_fields(object, fields, path)?;
        // Nearly always nothing is set aside, and then nothing is allocated.
        let mut aside = Vec::new();
        for (name, value) in object.iter_mut() {
            if let Some(field) = field(fields, name)
                && self.value(value, &field.shape, Path::Field(&path, field.name))? == Outcome::SetAside
            {
                aside.push(field.name);
            }
        }
        for name in aside {
            if let Some(value) = object.shift_remove(name) {
                object.insert(faults::name_aside(name), value);
            }
        }
        Ok(())
    }

    /// Gives fields sent under a known wrong name their own.
    fn rename_fields(
        &mut self,
        object: &mut Map<String, Value>,
        fields: &'static [Field],
        path: Path<'_>,
    ) -> Result<(), Fault> {
        // Nearly always nothing is to be renamed, and then nothing is allocated.
        while let Some((from, fault, to)) =
            object.keys().filter(|name| field(fields, name).is_none()).find_map(|name| {
                let (fault, meant) = faults::naming(fields, name)?;
                (!object.contains_key(meant)).then(|| (name.clone(), fault, meant))
            })
        {
            self.findings.found(fault, || Path::Field(&path, &from).to_string())?;
            if let Some(value) = object.shift_remove(&from) {
                object.insert(to.to_owned(), faults::listed(value));
            }
        }
        Ok(())
    }

    fn value(&mut self, value: &mut Value, shape: &Shape, path: Path<'_>) -> Result<Outcome, Fault> {
        if !shape.fits(value) {
            let Some((fault, meant)) = faults::settle(shape, value, self.zone) else {
                return Err(unfit(shape, value, path));
            };
            self.findings.found(fault, || path.to_string())?;
            match meant {
                Meant::Value(meant) => *value = meant,
                Meant::Nothing => return Ok(Outcome::SetAside),
            }
        }
        match (shape, value) {
            (Shape::Object(..), Value::Object(object)) => self.object(object, *shape, path)?,
            (Shape::List(element), Value::Array(list)) => {
                for (index, value) in list.iter_mut().enumerate() {
                    self.element(value, element, Path::Element(&path, index))?;
                }
            }
            _ => {}
        }
        Ok(Outcome::HasItsForm)
    }

    fn element(&mut self, value: &mut Value, shape: &Shape, path: Path<'_>) -> Result<(), Fault> {
        // A member may be null, which reads as absent, or be set aside; an element of a list may not.
        if value.is_null() && !matches!(shape, Shape::Any) {
            return Err(unfit(shape, value, path));
        }
        match self.value(value, shape, path)? {
            Outcome::HasItsForm => Ok(()),
            Outcome::SetAside => Err(unfit(shape, value, path)),
        }
    }
}

/// What became of a value.
#[derive(PartialEq, Eq)]
enum Outcome {
    /// It has its form now.
    HasItsForm,
    /// Nothing can be read from it, by a known fault: whoever holds it keeps it out of the way.
    SetAside,
}

/// What was expected and what kind of value was found; never the value.
fn unfit(shape: &Shape, value: &Value, path: Path<'_>) -> Fault {
    let found = match (shape, value) {
        (Shape::Decimal | Shape::Timestamp | Shape::Duration | Shape::Gps | Shape::Id, Value::String(_)) => {
            "another text"
        }
        _ => kind(value),
    };
    Fault::invalid(path.to_string(), format!("expected {}, found {found}", shape.expected()))
}

fn field<'a>(fields: &'a [Field], name: &str) -> Option<&'a Field> {
    fields.iter().find(|field| field.name == name)
}
