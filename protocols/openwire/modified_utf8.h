#pragma once

#include "core/modified_utf8.h"

// The texts of the wire, under the names of this folder. They are core's because what came by
// OpenWire is kept as it came, and selectors and the other adaptors read it.

namespace pabal::openwire {

using core::cut_text;
using core::form_of_modified;
using core::form_of_utf8;
using core::modified_utf8_of;
using core::TextForm;
using core::to_modified_utf8;
using core::to_utf8;
using core::utf8_of;

}  // namespace pabal::openwire
