//! Sets of numbers as the knowledge files write them: `[80, "8000-8099"]`.

use std::fmt;
use std::marker::PhantomData;
use std::ops::RangeInclusive;

use serde::de::{self, Deserialize, Deserializer, SeqAccess, Visitor};

/// A number that a set can hold.
pub trait Number: Copy + Ord + TryFrom<u64> + Into<u64> + fmt::Display {
    /// What it is called in error messages.
    const NAME: &'static str;
    /// The largest.
    const MAX: u64;
}

impl Number for u16 {
    const NAME: &'static str = "port";
    const MAX: u64 = u16::MAX as u64;
}

impl Number for u8 {
    const NAME: &'static str = "ICMP type or code";
    const MAX: u64 = u8::MAX as u64;
}

/// A set of numbers, kept as sorted ranges.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranges<T>(Vec<RangeInclusive<T>>);

/// A set of ports.
pub type Ports = Ranges<u16>;
/// A set of ICMP types or codes.
pub type Bytes = Ranges<u8>;

impl<T: Number> Ranges<T> {
    /// Whether a number is in the set.
    pub fn contains(&self, number: T) -> bool {
        self.0.iter().any(|range| range.contains(&number))
    }

    /// How many numbers the set has.
    pub fn size(&self) -> u64 {
        self.0.iter().map(|range| (*range.end()).into() - (*range.start()).into() + 1).sum()
    }

    /// The lowest number.
    pub fn first(&self) -> T {
        *self.0[0].start()
    }

    /// Whether every number lies below a limit.
    pub fn all_below(&self, limit: u64) -> bool {
        self.0.iter().all(|range| (*range.end()).into() < limit)
    }

    /// Whether every number of another set is in this one.
    pub fn covers(&self, other: &Ranges<T>) -> bool {
        other
            .0
            .iter()
            .all(|theirs| self.0.iter().any(|ours| ours.contains(theirs.start()) && ours.contains(theirs.end())))
    }

    /// The numbers, in order.
    pub fn iter(&self) -> impl Iterator<Item = T> {
        self.0.iter().flat_map(|range| {
            let (from, to): (u64, u64) = ((*range.start()).into(), (*range.end()).into());
            (from..=to).filter_map(|number| T::try_from(number).ok())
        })
    }

    fn new(mut ranges: Vec<RangeInclusive<T>>) -> Result<Self, String> {
        if ranges.is_empty() {
            return Err(format!("an empty list of {}s matches nothing", T::NAME));
        }
        ranges.sort_by_key(|range| *range.start());
        for pair in ranges.windows(2) {
            if pair[0].end() >= pair[1].start() {
                return Err(format!("{} {} is listed twice", T::NAME, pair[1].start()));
            }
        }
        // Neighbours become one range, so that `covers` can compare range by range.
        let mut merged: Vec<RangeInclusive<T>> = Vec::new();
        for range in ranges {
            match merged.last_mut() {
                Some(last) if (*last.end()).into() + 1 == (*range.start()).into() => {
                    *last = *last.start()..=*range.end()
                }
                _ => merged.push(range),
            }
        }
        Ok(Ranges(merged))
    }
}

impl<T: Number> fmt::Display for Ranges<T> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        for (i, range) in self.0.iter().enumerate() {
            let comma = if i == 0 { "" } else { ", " };
            if range.start() == range.end() {
                write!(f, "{comma}{}", range.start())?;
            } else {
                write!(f, "{comma}{}-{}", range.start(), range.end())?;
            }
        }
        Ok(())
    }
}

/// One element of the list: a number, or `"from-to"`.
struct Element<T>(RangeInclusive<T>);

impl<T: Number> Element<T> {
    fn number(value: u64) -> Result<T, String> {
        T::try_from(value).map_err(|_| format!("{} {value} is not in 0-{}", T::NAME, T::MAX))
    }

    fn parse(text: &str) -> Result<Self, String> {
        let parse = |part: &str| {
            let value =
                part.trim().parse::<u64>().map_err(|_| format!("`{text}` is neither a {} nor a range", T::NAME))?;
            Self::number(value)
        };
        let (from, to) = match text.split_once('-') {
            Some((from, to)) => (parse(from)?, parse(to)?),
            None => (parse(text)?, parse(text)?),
        };
        if from > to {
            return Err(format!("the range `{text}` is empty: it ends before it begins"));
        }
        Ok(Element(from..=to))
    }
}

impl<'de, T: Number> Deserialize<'de> for Element<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<T>(PhantomData<T>);
        impl<T: Number> Visitor<'_> for Visit<T> {
            type Value = Element<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a {} or a range like \"10-20\"", T::NAME)
            }
            fn visit_i64<E: de::Error>(self, value: i64) -> Result<Self::Value, E> {
                let value = u64::try_from(value).map_err(|_| E::custom(format!("{} {value} is negative", T::NAME)))?;
                self.visit_u64(value)
            }
            fn visit_u64<E: de::Error>(self, value: u64) -> Result<Self::Value, E> {
                let number = Element::<T>::number(value).map_err(E::custom)?;
                Ok(Element(number..=number))
            }
            fn visit_str<E: de::Error>(self, text: &str) -> Result<Self::Value, E> {
                Element::parse(text).map_err(E::custom)
            }
        }
        deserializer.deserialize_any(Visit(PhantomData))
    }
}

impl<'de, T: Number> Deserialize<'de> for Ranges<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visit<T>(PhantomData<T>);
        impl<'de, T: Number> Visitor<'de> for Visit<T> {
            type Value = Ranges<T>;
            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                write!(f, "a list of {}s and ranges like [80, \"8000-8099\"]", T::NAME)
            }
            fn visit_seq<A: SeqAccess<'de>>(self, mut list: A) -> Result<Self::Value, A::Error> {
                let mut ranges = Vec::new();
                while let Some(Element(range)) = list.next_element()? {
                    ranges.push(range);
                }
                Ranges::new(ranges).map_err(de::Error::custom)
            }
        }
        deserializer.deserialize_seq(Visit(PhantomData))
    }
}
