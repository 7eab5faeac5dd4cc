// SPDX-License-Identifier: Apache-2.0
/** Recordings of hosts: what is seen of one, and the file that keeps it. */
package io.jvfio.sim.recording;
