//! What the recognisers make of traffic: each pattern with what it only resembles beside it, and ordinary traffic that must stay calm.

mod lookalikes;
mod traffic;
