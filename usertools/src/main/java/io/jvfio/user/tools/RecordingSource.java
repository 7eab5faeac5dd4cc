// SPDX-License-Identifier: Apache-2.0
package io.jvfio.user.tools;

import java.io.IOException;
import java.io.InputStream;
import java.nio.ByteBuffer;
import java.nio.channels.FileChannel;

/** Where the bytes of a recording come from. One thread at a time. */
interface RecordingSource extends AutoCloseable {
  /** The length of what does not tell its own. */
  long UNKNOWN = Long.MAX_VALUE;

  /** What messages call it. */
  String name();

  /** How many bytes there are, or {@link #UNKNOWN} where that is not known yet. */
  long size() throws IOException;

  /**
   * Reads some bytes, at least one, waiting for them if need be.
   *
   * @param position of the first of them; not before one that was read already, unless {@link
   *     #isFile()}
   * @return how many, -1 at the end
   */
  int read(ByteBuffer target, long position) throws IOException;

  /** Whether bytes can be read again. */
  boolean isFile();

  @Override
  void close() throws IOException;

  /** A file. */
  record OfFile(String name, FileChannel file) implements RecordingSource {
    @Override
    public long size() throws IOException {
      return file.size();
    }

    @Override
    public int read(ByteBuffer target, long position) throws IOException {
      return file.read(target, position);
    }

    @Override
    public boolean isFile() {
      return true;
    }

    @Override
    public void close() throws IOException {
      file.close();
    }
  }

  /** A pipe or the like, which stays the caller's. */
  final class OfStream implements RecordingSource {
    private static final int PIECE = 64 << 10;

    private final String name;
    private final InputStream in;
    private final byte[] piece = new byte[PIECE];
    private long taken;
    private long size = UNKNOWN;

    OfStream(String name, InputStream in) {
      this.name = name;
      this.in = in;
    }

    @Override
    public String name() {
      return name;
    }

    @Override
    public long size() {
      return size;
    }

    @Override
    public int read(ByteBuffer target, long position) throws IOException {
      if (position < taken) {
        throw new IOException(name + " can be gone through once only");
      }
      while (taken < position) {
        if (take((int) Math.min(position - taken, piece.length)) < 0) {
          return -1;
        }
      }
      int count = take(Math.min(target.remaining(), piece.length));
      if (count > 0) {
        target.put(piece, 0, count);
      }
      return count;
    }

    private int take(int most) throws IOException {
      int count = in.read(piece, 0, most);
      if (count < 0) {
        size = taken;
      } else {
        taken += count;
      }
      return count;
    }

    @Override
    public boolean isFile() {
      return false;
    }

    @Override
    public void close() {
      // it is the caller's
    }
  }
}
