// SPDX-License-Identifier: Apache-2.0
/** One end of a socket for those who send what they like and look at what comes. */
package io.jvfio.user.peer;
