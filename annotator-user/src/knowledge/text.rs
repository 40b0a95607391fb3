//! Placeholders of the knowledge's texts.

/// Placeholders with what stands in their place where nothing is known.
pub(crate) const PLACEHOLDERS: &[(&str, &str)] = &[
    ("port", "PORT"),
    ("src_port", "PORT"),
    ("service", "no registered service"),
    ("proto", "the protocol"),
    ("type", "its type"),
    ("code", "its code"),
    ("name", "no name known"),
    ("detail", "see the evidence"),
    ("hops", "several"),
];

/// Values for placeholders.
pub(crate) type Facts = Vec<(&'static str, String)>;

/// The placeholders of a text, known or not.
pub(crate) fn placeholders(text: &str) -> impl Iterator<Item = &str> {
    text.split('{').skip(1).filter_map(|rest| {
        let (name, _) = rest.split_once('}')?;
        is_name(name).then_some(name)
    })
}

fn is_name(name: &str) -> bool {
    !name.is_empty() && name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'_')
}

/// Fills the placeholders of a text. Braces that enclose no name are part of a command and stay.
pub(crate) fn fill(text: &str, facts: &Facts) -> String {
    let mut filled = String::with_capacity(text.len());
    let mut rest = text;
    while let Some((before, after)) = rest.split_once('{') {
        filled.push_str(before);
        match after.split_once('}') {
            Some((name, tail)) if is_name(name) => {
                filled.push_str(value(name, facts));
                rest = tail;
            }
            _ => {
                filled.push('{');
                rest = after;
            }
        }
    }
    filled.push_str(rest);
    filled.trim().to_owned()
}

fn value<'a>(name: &str, facts: &'a Facts) -> &'a str {
    let known = facts.iter().find(|(fact, _)| *fact == name).map(|(_, value)| value.as_str());
    known
        .or_else(|| PLACEHOLDERS.iter().find(|(known, _)| *known == name).map(|(_, neutral)| *neutral))
        .unwrap_or("(unknown)")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fills_names_and_leaves_commands() {
        let facts = vec![("port", "23".to_owned())];
        assert_eq!(
            fill("{port}: nft dport { 139, 445 } {hops} {odd}", &facts),
            "23: nft dport { 139, 445 } several (unknown)"
        );
        assert_eq!(fill("{", &facts), "{");
        assert_eq!(placeholders("{port} { 1 } {detail").collect::<Vec<_>>(), ["port"]);
    }
}
