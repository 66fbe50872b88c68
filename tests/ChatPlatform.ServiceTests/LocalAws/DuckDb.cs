using System.Runtime.InteropServices;
using ChatPlatform.ServiceTests.Processes;

namespace ChatPlatform.ServiceTests.LocalAws;

/// <summary>DuckDB in this process, over the C API of the library that <c>eng/npm</c> installs (https://duckdb.org/docs/api/c/overview).</summary>
internal static partial class DuckDb
{
    private const string Library = "duckdb";

    static DuckDb() => NativeLibrary.SetDllImportResolver(typeof(DuckDb).Assembly, (name, _, _) => name == Library
        ? NativeLibrary.Load(Path.Combine(ServiceProcess.RepositoryRoot, "eng/npm/node_modules/@duckdb/node-bindings-linux-x64/libduckdb.so"))
        : 0);

    /// <summary>The first column of every row, as text.</summary>
    /// <exception cref="InvalidOperationException">DuckDB refused the query; the message is its own.</exception>
    public static List<string?> Query(string sql)
    {
        if (Open(null, out var database) != 0)
            throw new InvalidOperationException("DuckDB does not open.");
        if (Connect(database, out var connection) != 0)
            throw new InvalidOperationException("DuckDB does not connect.");
        try
        {
            var failed = Run(connection, sql, out var result) != 0;
            try
            {
                if (failed)
                    throw new InvalidOperationException(Marshal.PtrToStringUTF8(Error(ref result)));
                return [.. Enumerable.Range(0, (int)RowCount(ref result)).Select(row => Text(ref result, (ulong)row))];
            }
            finally
            {
                Destroy(ref result);
            }
        }
        finally
        {
            Disconnect(ref connection);
            Close(ref database);
        }
    }

    private static string? Text(ref Result result, ulong row)
    {
        var text = Varchar(ref result, 0, row);
        try
        {
            return Marshal.PtrToStringUTF8(text);
        }
        finally
        {
            Free(text);
        }
    }

    [StructLayout(LayoutKind.Sequential)]
    private struct Result
    {
        public ulong Columns;
        public ulong Rows;
        public ulong Changed;
        public nint ColumnData;
        public nint Message;
        public nint Internal;
    }

    [LibraryImport(Library, EntryPoint = "duckdb_open", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Open(string? path, out nint database);

    [LibraryImport(Library, EntryPoint = "duckdb_connect")]
    private static partial int Connect(nint database, out nint connection);

    [LibraryImport(Library, EntryPoint = "duckdb_query", StringMarshalling = StringMarshalling.Utf8)]
    private static partial int Run(nint connection, string sql, out Result result);

    [LibraryImport(Library, EntryPoint = "duckdb_result_error")]
    private static partial nint Error(ref Result result);

    [LibraryImport(Library, EntryPoint = "duckdb_row_count")]
    private static partial ulong RowCount(ref Result result);

    [LibraryImport(Library, EntryPoint = "duckdb_value_varchar")]
    private static partial nint Varchar(ref Result result, ulong column, ulong row);

    [LibraryImport(Library, EntryPoint = "duckdb_free")]
    private static partial void Free(nint memory);

    [LibraryImport(Library, EntryPoint = "duckdb_destroy_result")]
    private static partial void Destroy(ref Result result);

    [LibraryImport(Library, EntryPoint = "duckdb_disconnect")]
    private static partial void Disconnect(ref nint connection);

    [LibraryImport(Library, EntryPoint = "duckdb_close")]
    private static partial void Close(ref nint database);
}
