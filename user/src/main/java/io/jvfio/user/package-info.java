// SPDX-License-Identifier: Apache-2.0
/** vfio-user: devices behind UNIX sockets, and device models served to whoever connects. */
package io.jvfio.user;
