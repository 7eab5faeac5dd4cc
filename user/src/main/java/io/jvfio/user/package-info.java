// SPDX-License-Identifier: Apache-2.0
/**
 * vfio-user: devices behind UNIX sockets, and device models served to whoever connects.
 *
 * @since 0.1.0
 */
package io.jvfio.user;
