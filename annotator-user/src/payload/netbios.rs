//! NetBIOS name service (RFC 1002 §4.2): the form of DNS with names in half-bytes.

use super::Payload;
use super::cursor::Cursor;
use super::shape::{Shape, escaped};

/// A name of 16 bytes as 32 letters.
const NAME_LETTERS: usize = 32;
const NODE_STATUS: u16 = 0x21;
const NAME: u16 = 0x20;
const RESPONSE: u16 = 0x8000;

/// Queries for a name and for the status of a node.
pub fn read(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let Some((name, query)) = query(payload.bytes) else { return };
    let shown = escaped(name.trim_ascii_end());
    if query == NODE_STATUS {
        shapes.push(Shape::new("netbios-node-status", format!("NodeStatus query for {shown}")));
    } else {
        shapes.push(Shape::new("netbios-query", format!("query for the name {shown}")).with("name", shown));
    }
}

/// The name, without the byte for its kind, and the type of the first question.
fn query(bytes: &[u8]) -> Option<(Vec<u8>, u16)> {
    let mut cursor = Cursor(bytes);
    let _transaction = cursor.be16()?;
    let flags = cursor.be16()?;
    let questions = cursor.be16()?;
    cursor.take(6)?;
    if flags & RESPONSE != 0 || questions != 1 || usize::from(cursor.u8()?) != NAME_LETTERS {
        return None;
    }
    let letters = cursor.take(NAME_LETTERS)?;
    let mut name = Vec::with_capacity(NAME_LETTERS / 2);
    for pair in letters.chunks_exact(2) {
        let nibble = |letter: u8| letter.checked_sub(b'A').filter(|value| *value < 16);
        name.push(nibble(pair[0])? << 4 | nibble(pair[1])?);
    }
    // A scope may follow the name; labels end with an empty one.
    loop {
        match cursor.u8()? {
            0 => break,
            length => cursor.take(usize::from(length))?,
        };
    }
    let query = cursor.be16()?;
    if !matches!(query, NODE_STATUS | NAME) {
        return None;
    }
    // The sixteenth byte tells the kind of name; NUL bytes fill the wildcard.
    let kind_at = name.len() - 1;
    name.truncate(kind_at);
    while name.last() == Some(&0) {
        name.pop();
    }
    Some((name, query))
}
