// SPDX-License-Identifier: Apache-2.0
/** The GPIO card of libvfio-user's sample. */
package io.jvfio.model.gpio;
