// SPDX-License-Identifier: Apache-2.0
/** A check of how a server keeps to the protocol. */
package io.jvfio.user.conform;
