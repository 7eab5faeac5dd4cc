// SPDX-License-Identifier: Apache-2.0
/** The server: sessions of clients, the device that they use, and their memory. */
package io.jvfio.user.server;
