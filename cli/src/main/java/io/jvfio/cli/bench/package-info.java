// SPDX-License-Identifier: Apache-2.0
/** The work of {@code nvme bench}: what it does, what it measures, and how it tells it. */
package io.jvfio.cli.bench;
