// SPDX-License-Identifier: Apache-2.0
/** Simulated hosts, each answering as one real kernel on one kind of machine does. */
package io.jvfio.sim;
