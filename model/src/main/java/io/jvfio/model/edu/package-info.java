// SPDX-License-Identifier: Apache-2.0
/** The device of QEMU's edu, with which drivers are learned. */
package io.jvfio.model.edu;
