//! What each function does to the items of each table, as its code says, against what its role may do.
//!
//! The code is read, not run: a function reaches what it calls in the files of its role and in
//! `respond.rs` and `deliver.rs`, and of a store it reaches the methods that it calls on a value of
//! the store's type. No emulator refuses what a role may not do, so a grant too few would show in
//! the first deployment alone, and one too many never.

use std::collections::{BTreeMap, BTreeSet};

use beckn_health_platform::function::{Function, Trigger};
use beckn_health_platform::store::table;

use crate::{root, source};

/// How a store's source performs an action on items of its table. Indexes are looked at elsewhere.
const PERFORMED: [(&str, &str); 13] = [
    (".get(table::", "dynamodb:GetItem"),
    (".query(table::", "dynamodb:Query"),
    (".query_between(table::", "dynamodb:Query"),
    (".batch_get(table::", "dynamodb:BatchGetItem"),
    (".batch_glance(table::", "dynamodb:BatchGetItem"),
    (".batch_write(table::", "dynamodb:BatchWriteItem"),
    (" Put::builder()", "dynamodb:PutItem"),
    (".put_item()", "dynamodb:PutItem"),
    (" Delete::builder()", "dynamodb:DeleteItem"),
    (".delete_item()", "dynamodb:DeleteItem"),
    (".update_item()", "dynamodb:UpdateItem"),
    (" Update::builder()", "dynamodb:UpdateItem"),
    (" ConditionCheck::builder()", "dynamodb:ConditionCheckItem"),
];

/// The source of the module that uses a table.
pub(crate) fn store(table: &str) -> String {
    source(&format!("shared/platform/src/store/{}.rs", table.split_once('-').unwrap().1))
}

/// What a function does to the items of a table.
pub(crate) fn of(function: &Function, table: &str) -> BTreeSet<String> {
    let store = store(table);
    let ty = store.split("(Tables);").next().and_then(|before| before.rsplit("pub struct ").next()).unwrap();
    let methods = bodies(&store);
    let reached = reached(function);
    let mut called: Vec<&str> = methods.keys().map(String::as_str).filter(|it| calls_on(&reached, ty, it)).collect();
    // The registry knows its callers through the port `Registry`, which is this store.
    let asks = reached.iter().any(|text| calls(text, "", "authenticate_only"));
    let verifies = asks && matches!(function.trigger, Trigger::Http { .. }) && table == table::PARTICIPANTS;
    called.extend(verifies.then_some("lookup"));
    let mut actions = BTreeSet::new();
    let mut seen = BTreeSet::new();
    while let Some(method) = called.pop() {
        if seen.insert(method) {
            let body = &methods[method];
            actions.extend(performed(body));
            let own = methods.keys().filter(|own| ["self.", "Self::"].iter().any(|it| calls(body, it, own)));
            called.extend(own.map(String::as_str));
        }
    }
    actions
}

fn performed(text: &str) -> BTreeSet<String> {
    PERFORMED.iter().filter(|(code, _)| text.contains(code)).map(|(_, action)| (*action).to_owned()).collect()
}

/// The texts of a function: its handler's file, and every function of its role's other files and of the platform's that
/// one of these texts calls.
fn reached(function: &Function) -> Vec<String> {
    let (role, module) = function.name.split_once('-').unwrap();
    let handler = format!("functions/src/{role}/{}.rs", module.replace('-', "_"));
    let mut pool: Vec<(String, String)> = Vec::new();
    let mut add = |path: &str| pool.extend(bodies(&source(path)).into_iter().filter(|(name, _)| !name.is_empty()));
    for entry in std::fs::read_dir(root().join(format!("functions/src/{role}"))).unwrap() {
        let path = format!("functions/src/{role}/{}", entry.unwrap().file_name().to_string_lossy());
        if path.ends_with(".rs") && !source(&path).contains("pub const FUNCTION: Function") {
            add(&path);
        }
    }
    add("shared/platform/src/respond.rs");
    add("shared/platform/src/deliver.rs");
    let mut texts = vec![flat(&source(&handler))];
    let mut next = 0;
    while next < texts.len() {
        let (called, rest) = pool.into_iter().partition(|(name, _)| calls(&texts[next], "", name));
        pool = rest;
        texts.extend(Vec::into_iter(called).map(|(_, body)| body));
        next += 1;
    }
    texts
}

/// Whether some text calls a method on a value of a type: one just made, one it has a name for, or one
/// it is given.
fn calls_on(texts: &[String], ty: &str, method: &str) -> bool {
    texts.iter().any(|text| {
        let named = [format!(" = {ty}::new("), format!(": &{ty}")];
        let names = named.iter().flat_map(|it| text.match_indices(it.as_str()));
        let mut names = names.map(|(at, _)| text[..at].rsplit(|it| !is_word(it)).next().unwrap_or_default());
        names.any(|name| calls(text, &format!("{name}."), method))
            || text.contains(&format!("{ty}::new(deps.tables.clone()).{method}("))
    })
}

/// Whether a text calls `name` right after `receiver`, as a word of its own.
fn calls(text: &str, receiver: &str, name: &str) -> bool {
    let call = format!("{receiver}{name}(");
    text.match_indices(&call).any(|(at, _)| !text[..at].ends_with(is_word))
}

fn is_word(character: char) -> bool {
    character.is_alphanumeric() || character == '_'
}

/// The body of every function of a source by its name; what stands before the first one has none.
fn bodies(source: &str) -> BTreeMap<String, String> {
    let mut bodies: BTreeMap<String, String> = BTreeMap::new();
    let mut name = String::new();
    for line in code(source) {
        let start = ["pub(super) ", "pub(crate) ", "pub ", "const ", "async "]
            .iter()
            .fold(line.trim_start(), |rest, word| rest.strip_prefix(word).unwrap_or(rest));
        if let Some(signature) = start.strip_prefix("fn ") {
            signature.split(|it| !is_word(it)).next().unwrap_or_default().clone_into(&mut name);
            // Its own name is no call.
            let parameters = &signature[name.len()..];
            bodies.entry(name.clone()).or_default().push_str(parameters);
        } else {
            bodies.entry(name.clone()).or_default().push_str(line);
        }
        bodies.entry(name.clone()).or_default().push('\n');
    }
    bodies.into_iter().map(|(name, body)| (name, flat(&body))).collect()
}

/// The lines of a source that are neither comments nor tests.
fn code(source: &str) -> impl Iterator<Item = &str> {
    source
        .lines()
        .take_while(|line| !line.starts_with("#[cfg(test)]"))
        .filter(|line| !line.trim_start().starts_with("//"))
}

/// A source on one line, with a call chain as one word.
fn flat(source: &str) -> String {
    let words: Vec<&str> = code(source).flat_map(str::split_whitespace).collect();
    words.join(" ").replace(" .", ".").replace("( ", "(")
}
