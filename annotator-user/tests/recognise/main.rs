//! What the recognisers make of traffic: each pattern with what it only resembles beside it, and ordinary traffic that must stay calm.

mod attacks;
mod lookalikes;
mod ordinary;
mod scans;
mod tools;
mod traffic;
