// SPDX-License-Identifier: Apache-2.0
/** The {@code jvfio} command: one class per subcommand, and what they share. */
package io.jvfio.cli;
