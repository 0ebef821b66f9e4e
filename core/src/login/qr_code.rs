//! An address as a QR code in a terminal.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// The code as lines of text; `None` for an address that is too long for a QR code. Light modules
/// are drawn, and dark ones are left to the terminal's background.
pub(super) fn text(url: &str, ascii: bool) -> Option<String> {
    let code = QrCode::with_error_correction_level(url, EcLevel::L).ok()?;
    if ascii {
        return Some(
            code.render::<char>()
                .quiet_zone(true)
                .module_dimensions(2, 1)
                .dark_color(' ')
                .light_color('#')
                .build(),
        );
    }
    let mut renderer = code.render::<Dense1x2>();
    Some(renderer.quiet_zone(true).dark_color(Dense1x2::Light).light_color(Dense1x2::Dark).build())
}
