//! An address as a QR code in a terminal.

use qrcode::render::unicode::Dense1x2;
use qrcode::{EcLevel, QrCode};

/// The characters of a QR code.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
#[non_exhaustive]
pub enum QrCodeStyle {
    /// Block characters.
    #[default]
    Blocks,
    /// Plain characters, twice as wide.
    Ascii,
}

/// The code as lines of text; `None` for an address that is too long for a QR code. Light modules
/// are drawn, and dark ones are left to the terminal's background.
pub(super) fn text(url: &str, style: QrCodeStyle) -> Option<String> {
    let code = QrCode::with_error_correction_level(url, EcLevel::L).ok()?;
    if style == QrCodeStyle::Ascii {
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
