//! Sun RPC calls (RFC 5531) and what the portmapper is asked (RFC 1833).

use super::Payload;
use super::cursor::Cursor;
use super::shape::Shape;

const CALL: u32 = 0;
const RPC_VERSION: u32 = 2;
/// The portmapper's program number, and the procedures that name another program.
const PORTMAPPER: u32 = 100_000;
const SET: u32 = 1;
const UNSET: u32 = 2;
const GETPORT: u32 = 3;
const CALLIT: u32 = 5;
/// The longest credential that RFC 5531 §8.2 allows.
const CREDENTIAL_MAX: u32 = 400;
/// Flavors of authentication in use are small numbers (IANA).
const FLAVOR_MAX: u32 = 400_000;

/// Names of the portmapper's procedures.
const PROCEDURES: [&str; 6] = ["NULL", "SET", "UNSET", "GETPORT", "DUMP", "CALLIT"];

struct Call {
    program: u32,
    version: u32,
    procedure: u32,
    wanted: Option<u32>,
}

/// Calls, over UDP and behind the record mark over TCP.
pub fn read(payload: &Payload<'_>, shapes: &mut Vec<Shape>) {
    let bytes = if payload.tcp { payload.bytes.get(4..).unwrap_or_default() } else { payload.bytes };
    let Some(call) = call(bytes) else { return };
    let Call { program, version, procedure, wanted } = call;
    let detail = if program == PORTMAPPER {
        let name = PROCEDURES.get(procedure as usize).copied().unwrap_or("unknown");
        let about = wanted.map_or(String::new(), |wanted| format!(" about program {wanted}"));
        format!("portmapper procedure {procedure} ({name}){about}")
    } else {
        format!("call to program {program} version {version} procedure {procedure}")
    };
    let mut shape =
        Shape::new("rpc-call", detail).with("program", program).with("version", version).with("procedure", procedure);
    if let Some(wanted) = wanted {
        shape = shape.with("wanted_program", wanted);
    }
    shapes.push(shape);
}

fn call(bytes: &[u8]) -> Option<Call> {
    let mut cursor = Cursor(bytes);
    let _transaction = cursor.be32()?;
    if cursor.be32()? != CALL || cursor.be32()? != RPC_VERSION {
        return None;
    }
    let (program, version, procedure) = (cursor.be32()?, cursor.be32()?, cursor.be32()?);
    let arguments = skip_credentials(&mut cursor);
    let names_program = program == PORTMAPPER && matches!(procedure, SET | UNSET | GETPORT | CALLIT);
    let wanted = arguments.and_then(|()| if names_program { cursor.be32() } else { None });
    Some(Call { program, version, procedure, wanted })
}

/// Credential and verifier; their lengths are rounded up to four bytes (RFC 4506 §4.10).
fn skip_credentials(cursor: &mut Cursor<'_>) -> Option<()> {
    for _ in 0..2 {
        let flavor = cursor.be32()?;
        let length = cursor.be32()?;
        if flavor > FLAVOR_MAX || length > CREDENTIAL_MAX {
            return None;
        }
        cursor.take(length.next_multiple_of(4) as usize)?;
    }
    Some(())
}
