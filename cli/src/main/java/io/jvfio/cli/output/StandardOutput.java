// SPDX-License-Identifier: Apache-2.0
package io.jvfio.cli.output;

import java.io.FilterOutputStream;
import java.io.IOException;
import java.io.OutputStream;
import java.nio.file.Path;

/**
 * Standard output where it takes the place of a file: the user has named it {@code -}. Closing it
 * leaves it open for others.
 */
public final class StandardOutput extends FilterOutputStream {
  /** What messages call it. */
  public static final String NAME = "standard output";

  private static final Path MARK = Path.of("-");

  public StandardOutput(OutputStream out) {
    super(out);
  }

  /** Whether a file that the user has named is none. */
  public static boolean isMeantBy(Path file) {
    return file.equals(MARK);
  }

  @Override
  public void write(byte[] bytes, int offset, int length) throws IOException {
    out.write(bytes, offset, length);
  }

  @Override
  public void close() throws IOException {
    flush();
  }
}
